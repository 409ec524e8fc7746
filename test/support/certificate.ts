import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
  /** A file with the certificate, for `network.ca_file`. */
  readonly caFile: string;
  readonly keyFile: string;
  [Symbol.dispose](): void;
}

/** A self-signed certificate for localhost alone that ended yesterday, or one for another host: believed where they are in `network.ca_file`. */
export function makeUnfitCertificate(why: 'expired' | 'other host'): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const at = (name: string) => join(folder, name);
  const host = why === 'expired' ? 'localhost' : 'elsewhere.example';
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('key')];
    const names = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
    openssl('req', ...key, ...names, '-out', at('request'));
    const days = why === 'expired' ? '-1' : '2';
    openssl(
      'x509',
      '-req',
      '-in',
      at('request'),
      '-signkey',
      at('key'),
      '-days',
      days,
      '-copy_extensions',
      'copy',
      '-out',
      at('cert'),
    );
    return { key: readFileSync(at('key'), 'utf8'), cert: readFileSync(at('cert'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A self-signed certificate for localhost, 127.0.0.1 and the given names, made by openssl in a temporary folder. */
export function makeCertificate(...names: string[]): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const [keyFile, caFile] = [join(folder, 'private.key'), join(folder, 'public.crt')];
  const alternatives = ['localhost', ...names].map((name) => `DNS:${name}`).join(',');
  const options = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ];
  const san = `subjectAltName=${alternatives},IP:127.0.0.1`;
  execFileSync('openssl', ['req', '-x509', ...options, '-addext', san, '-keyout', keyFile, '-out', caFile], {
    stdio: 'ignore',
  });
  return {
    key: readFileSync(keyFile, 'utf8'),
    cert: readFileSync(caFile, 'utf8'),
    caFile,
    keyFile,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
