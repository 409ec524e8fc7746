import type { IncomingHttpHeaders } from 'node:http';
import { readByteRange } from './byte-range.ts';

export interface DownloadPlan {
  readonly status: 200 | 206 | 304 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** First and last byte to send, both included; null when there is nothing to send. */
  readonly body: { readonly first: number; readonly last: number } | null;
}

/** How a GET or HEAD of a file is answered: conditions and ranges of RFC 9110, sections 13 and 14. */
export function planDownload(
  method: string,
  headers: IncomingHttpHeaders,
  file: { readonly size: number; readonly etag: string; readonly modified: Date },
): DownloadPlan {
  const { size, etag } = file;
  const common = {
    etag,
    'accept-ranges': 'bytes',
    'last-modified': file.modified.toUTCString(),
    'cache-control': 'public, no-cache',
  };
  if (matchesEtag(headers['if-none-match'], etag)) return { status: 304, headers: common, body: null };
  // A resume goes on only over the very same bytes: If-Range must be the strong ETag (section 13.1.5).
  const ifRange = headers['if-range'];
  const asked = method === 'GET' && (ifRange === undefined || ifRange === etag) ? headers.range : undefined;
  const range = readByteRange(asked, size);
  if (range.kind === 'unsatisfiable') {
    return { status: 416, headers: { ...common, 'content-range': `bytes */${size}` }, body: null };
  }
  const { first, last } = range.kind === 'part' ? range : { first: 0, last: size - 1 };
  return {
    status: range.kind === 'part' ? 206 : 200,
    headers: {
      ...common,
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'content-length': String(last - first + 1),
      ...(range.kind === 'part' ? { 'content-range': `bytes ${first}-${last}/${size}` } : {}),
    },
    body: method === 'HEAD' || size === 0 ? null : { first, last },
  };
}

/** If-None-Match (section 13.1.2): a list, `*`, weak validators compared weakly. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => {
    const candidate = part.trim().replace(/^W\//, '');
    return candidate === '*' || candidate === etag;
  });
}
