import { X509Certificate } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { readSmallFile } from '../../system/small-file.ts';
import { type Finding, ok, warn } from './check.ts';

export const ENVIRONMENT =
  'proxy and certificates as they are meant for the agent, not for a person’s shell alone';

const NAMES = [
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'LC_ALL',
  'LANG',
];
const CERTIFICATES_MAX_BYTES = 16 * 1_048_576;
const ADVICE =
  'correct the variable, or take it out of the environment; certificates for this agent go into network.ca_file of agent.yaml';

/** Names and hosts; a proxy's user info is nobody's business. */
export async function environmentFinding(environment: NodeJS.ProcessEnv = process.env): Promise<Finding> {
  const said = NAMES.flatMap((name) => {
    const value = environment[name.toLowerCase()] ?? environment[name];
    if (value === undefined || value === '') return [];
    const shown =
      name.endsWith('PROXY') && URL.canParse(value) && value.includes('//') ? new URL(value).host : value;
    return [`${name}=${shown.replace(/^[^@\s]*@/, '')}`];
  });
  const found = said.join(', ') || 'nothing set';
  const fault = await extraCertificatesFault(environment['NODE_EXTRA_CA_CERTS'] ?? '');
  if (fault === null) return ok('agent.environment', found, ENVIRONMENT);
  return warn(
    'agent.environment',
    `${found}; Node takes no certificate of NODE_EXTRA_CA_CERTS: ${fault}`,
    ENVIRONMENT,
    ADVICE,
  );
}

/** Node reads the file once, at the start of a process, and one certificate in it that it cannot read makes it ignore them all. */
async function extraCertificatesFault(path: string): Promise<string | null> {
  if (path === '' || getCACertificates('extra').length > 0) return null;
  try {
    const file = await readSmallFile(path, CERTIFICATES_MAX_BYTES);
    if (file.kind === 'absent') return 'there is no such file (ENOENT)';
    if (file.kind === 'too_large') return `it is larger than ${CERTIFICATES_MAX_BYTES} bytes`;
    const blocks = Buffer.from(file.bytes)
      .toString('utf8')
      .split(/(?=-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----)/)
      .filter((block) => block.startsWith('-----BEGIN'));
    if (blocks.length === 0) return 'there is no certificate in it (-----BEGIN CERTIFICATE-----)';
    const broken = blocks.findIndex((block) => !isCertificate(block));
    if (broken === -1) return null;
    return `a certificate in it cannot be read, the ${broken + 1}. of ${blocks.length}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
}
