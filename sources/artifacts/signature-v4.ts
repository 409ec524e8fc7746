import { createHash, createHmac } from 'node:crypto';

/** SHA-256 of no bytes: the payload of every GET. */
export const EMPTY_SHA256 = createHash('sha256').digest('hex');

export interface SigningKey {
  readonly access_key: string;
  readonly secret_key: string;
  readonly region: string;
}

export interface RequestToSign {
  readonly method: string;
  readonly url: URL;
  /** Further headers to sign, such as `range`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Hexadecimal SHA-256 of the body. */
  readonly payloadSha256: string;
}

/**
 * The headers that sign a request to S3 (AWS Signature Version 4, single chunk): `authorization`, `x-amz-date` and
 * `x-amz-content-sha256`. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function signatureHeaders(request: RequestToSign, key: SigningKey, now: Date): Record<string, string> {
  const stamp = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = stamp.slice(0, 8);
  const own = { 'x-amz-content-sha256': request.payloadSha256, 'x-amz-date': stamp };
  const signed = Object.entries({ host: request.url.host, ...request.headers, ...own })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    canonicalPath(request.url.pathname),
    canonicalQuery(request.url.searchParams),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    request.payloadSha256,
  ].join('\n');
  const scope = `${day}/${key.region}/s3/aws4_request`;
  const toSign = [
    'AWS4-HMAC-SHA256',
    stamp,
    scope,
    createHash('sha256').update(canonical).digest('hex'),
  ].join('\n');
  const daily = [day, key.region, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${key.secret_key}`,
  );
  const signature = hmac(daily, toSign).toString('hex');
  const credential = `Credential=${key.access_key}/${scope}`;
  return {
    ...own,
    authorization: `AWS4-HMAC-SHA256 ${credential},SignedHeaders=${names},Signature=${signature}`,
  };
}

/** The path of an object below an endpoint, path style. */
export function objectPath(endpoint: URL, bucket: string, key: string): string {
  const base = endpoint.pathname.replace(/\/+$/, '');
  return `${base}/${bucket}/${key.split('/').map(encodeStrictly).join('/')}`;
}

/** The server decodes the path it gets and encodes it its own way, whatever was sent. */
function canonicalPath(pathname: string): string {
  return pathname
    .split('/')
    .map((segment) => encodeStrictly(decodeURIComponent(segment)))
    .join('/');
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .sort()
    .join('&');
}

/** RFC 3986: everything but unreserved characters. */
export function encodeStrictly(text: string): string {
  const escape = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, escape);
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
