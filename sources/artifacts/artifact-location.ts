/** A bundle URL taken apart for comparison: every part decoded once, nothing left to be read in two ways. */
export interface ArtifactLocation {
  readonly scheme: 'https:' | 'http:' | 's3:';
  /** Host and port as the URL standard writes them, or the bucket. */
  readonly authority: string;
  /** Decoded path segments, without the empty one of a leading slash. */
  readonly segments: readonly string[];
}

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;

/**
 * Reads a URL of a bundle or a prefix of `artifacts.allow`. A text says what is wrong with it. `..` and its encodings are resolved by the
 * URL standard; an encoded slash or backslash, which servers read differently, is refused.
 */
export function artifactLocation(text: string | URL): ArtifactLocation | string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'expected an absolute URL, https:// or s3://bucket/key';
  }
  const scheme = url.protocol;
  if (scheme !== 'https:' && scheme !== 'http:' && scheme !== 's3:') {
    return `expected https:// or s3://, found ${scheme.slice(0, 20)}//`;
  }
  if (url.username !== '' || url.password !== '') return 'expected no user name or password in the URL';
  if (scheme === 's3:' && (url.search !== '' || url.hash !== '')) {
    return 'expected s3://bucket/key, with ? and # encoded as %3F and %23';
  }
  if (scheme === 's3:' && (!BUCKET.test(url.hostname) || url.port !== '')) return 'expected s3://bucket/key';
  if (/%(?:2f|5c|00)/i.test(url.pathname) || (scheme === 's3:' && url.pathname.includes('\\'))) {
    return 'expected no encoded slash, backslash or NUL in the path';
  }
  try {
    const segments = url.pathname.split('/').slice(1).map(decodeURIComponent);
    if (segments.some((segment) => segment === '.' || segment === '..'))
      return 'expected no "." or ".." in the path';
    return { scheme, authority: url.host, segments };
  } catch {
    return 'expected a path with whole percent escapes';
  }
}

/** Whether a location is the prefix or lies below it: same scheme, host, port, whole path segments (contract, section 2). */
export function liesUnder(location: ArtifactLocation, prefix: ArtifactLocation): boolean {
  const last = prefix.segments.length - 1;
  const wanted = prefix.segments[last] === '' ? prefix.segments.slice(0, last) : prefix.segments;
  return (
    location.scheme === prefix.scheme &&
    location.authority === prefix.authority &&
    wanted.every((segment, index) => segment === location.segments[index])
  );
}
