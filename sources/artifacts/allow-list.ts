import type { Refused } from '../../reconciler/ports.ts';
import { isLoopback } from '../../schemas/urls.ts';
import { type ArtifactLocation, artifactLocation, liesUnder } from './artifact-location.ts';
import { objectPath } from './signature-v4.ts';

export interface AllowList {
  /** Whether a bundle may come from a URL of the manifest. */
  allows(url: string): Refused | null;
  /** The same for the URL a request really goes to: an object below the endpoint counts as its s3:// name, too. */
  allowsHop(url: URL): Refused | null;
  /** Where to send the request for an allowed URL. */
  requestUrl(url: string): URL;
  /** True for https URLs below `artifacts.endpoint`: those are signed. */
  underEndpoint(url: URL): boolean;
}

/** `artifacts.allow` and `artifacts.endpoint` of the configuration. A prefix that cannot be read allows nothing. */
export function createAllowList(allow: readonly string[], endpoint: string | null): AllowList {
  const prefixes = allow.map((text) => artifactLocation(text)).filter((prefix) => typeof prefix !== 'string');
  const base = endpoint === null ? null : new URL(endpoint);
  const basePrefix = base === null ? null : artifactLocation(base);
  const listed = (location: ArtifactLocation) => prefixes.some((prefix) => liesUnder(location, prefix));

  const isUnder = (location: ArtifactLocation | string): location is ArtifactLocation =>
    typeof location !== 'string' &&
    basePrefix !== null &&
    typeof basePrefix !== 'string' &&
    liesUnder(location, basePrefix);
  /** The s3:// name of an object below the endpoint. */
  const objectName = (location: ArtifactLocation): ArtifactLocation => {
    const depth = (base as URL).pathname.split('/').filter((part) => part !== '').length;
    const [bucket = '', ...segments] = location.segments.slice(depth);
    return { scheme: 's3:', authority: bucket, segments };
  };
  const refused = (shown: string, why: string): Refused => {
    return { kind: 'refused', code: 'url_not_allowed', message: `${shown}: ${why}` };
  };
  const notListed = (shown: string) => {
    const expected =
      allow.length === 0 ? 'a URL in artifacts.allow, which is empty' : `a URL under ${allow.join(' or ')}`;
    return refused(shown, `expected ${expected} (artifacts.allow in agent.yaml), found another one`);
  };

  return {
    allows(url) {
      const location = artifactLocation(url);
      if (typeof location === 'string') return refused(shownUrl(url), location);
      if (location.scheme === 'http:' && !isLoopback(new URL(url).hostname)) {
        return refused(shownUrl(url), 'expected https (plain http only to loopback)');
      }
      if (!listed(location)) return notListed(shownUrl(url));
      if (location.scheme !== 's3:') return null;
      if (base === null) {
        return refused(
          shownUrl(url),
          'expected artifacts.endpoint in agent.yaml, where s3:// URLs are fetched, found none',
        );
      }
      return location.segments.join('/') === ''
        ? refused(url, 'expected s3://bucket/key, found no key')
        : null;
    },
    allowsHop(url) {
      const location = artifactLocation(url);
      if (typeof location === 'string') return refused(shownUrl(url), location);
      if (location.scheme === 'http:' && !isLoopback(url.hostname)) {
        return refused(shownUrl(url), 'expected https (plain http only to loopback)');
      }
      const asObject = isUnder(location) ? objectName(location) : null;
      return listed(location) || (asObject !== null && listed(asObject)) ? null : notListed(shownUrl(url));
    },
    requestUrl(url) {
      const location = artifactLocation(url) as ArtifactLocation;
      const target = new URL(location.scheme === 's3:' ? (base as URL) : url);
      if (location.scheme === 's3:') {
        target.pathname = objectPath(base as URL, location.authority, location.segments.join('/'));
      }
      target.hash = '';
      return target;
    },
    underEndpoint: (url) => isUnder(artifactLocation(url)),
  };
}

/** Without query (it may carry a signature) and user info. */
function shownUrl(url: string | URL): string {
  if (!URL.canParse(url)) return 'a bundle URL';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
