import { z } from 'zod';

/** True for 127.0.0.0/8, ::1 and localhost: the only hosts plain http may reach (contract, section 2). */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    /^127(?:\.\d{1,3}){3}$/.test(host)
  );
}

const PLAIN: Readonly<Record<string, readonly [string, string]>> = {
  'http:': ['http', 'https'],
  'ws:': ['ws', 'wss'],
};

/** What is wrong with a URL the agent is told to call, or null. Names no secret: user info is refused, not repeated. */
export function urlFault(text: string, schemes: readonly string[] = ['https:', 'http:']): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'expected an absolute URL such as https://git.example/acme.git';
  }
  if (!schemes.includes(url.protocol)) {
    return `expected a URL with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}, found ${url.protocol}//`;
  }
  if (url.username !== '' || url.password !== '') {
    return 'expected no user name or password in the URL; put them into credentials_dir';
  }
  const plain = PLAIN[url.protocol];
  if (plain !== undefined && !isLoopback(url.hostname)) {
    const [name, secure] = plain;
    return `expected ${secure} (plain ${name} only to loopback), found ${name}://${url.host}`;
  }
  return null;
}

function checked(schemes: readonly string[]) {
  return z.string().superRefine((text, context) => {
    const fault = urlFault(text, schemes);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  });
}

/** https anywhere, http to loopback only, no credentials inside. */
export const SecureUrl = checked(['https:', 'http:']);
/** A prefix of `artifacts.allow`: https, loopback http, or s3://bucket/prefix. */
export const ArtifactPrefix = checked(['https:', 'http:', 's3:']);
/** Where the WebSocket tunnel is: ws and http mean the same, as do wss and https; the plain ones to loopback only. */
export const TunnelUrl = checked(['wss:', 'https:', 'ws:', 'http:']).refine(
  (text) => !text.includes('#'),
  'expected no fragment (#…) in the URL',
);
