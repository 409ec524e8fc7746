import type { HttpResponse } from '../../system/http-client.ts';

/** What is there already, and the strong ETag it came with. */
export interface Resume {
  readonly offset: number;
  readonly validator: string;
}

export type RangeAnswer =
  /** The whole bundle from its first byte, `length` bytes when known. */
  | { readonly kind: 'whole'; readonly validator: string | null; readonly length: number | null }
  /** Exactly the bytes after `offset`, of the representation they began with. */
  | { readonly kind: 'rest'; readonly length: number | null }
  /** What is there cannot be gone on from: ask for the whole. */
  | { readonly kind: 'restart' }
  | { readonly kind: 'malformed'; readonly message: string }
  | { readonly kind: 'no_bundle' };

/** What an answer to a GET with or without Range means (RFC 9110, 13.1.5 and 15.3.7). Servers that ignore If-Range are found out by the ETag. */
export function answerTo(response: HttpResponse, resume: Resume | null, size: number | null): RangeAnswer {
  const { status, headers } = response;
  if (status === 416 && resume !== null) return { kind: 'restart' };
  if (status === 200) {
    return {
      kind: 'whole',
      validator: strongTag(headers.get('etag')),
      length: contentLength(headers.get('content-length')),
    };
  }
  if (status !== 206) return { kind: 'no_bundle' };
  if (resume === null)
    return { kind: 'malformed', message: 'expected status 200 to a request without Range, found 206' };
  const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers.get('content-range') ?? '');
  if (range === null) return { kind: 'restart' };
  const [first, last] = [Number(range[1]), Number(range[2])];
  const total = range[3] === '*' ? null : Number(range[3]);
  const continues =
    first === resume.offset &&
    headers.get('etag') === resume.validator &&
    (total === null || last === total - 1) &&
    (size === null || total === null || total === size);
  return continues ? { kind: 'rest', length: last - first + 1 } : { kind: 'restart' };
}

/** The ETag when it is a strong one: only those promise the same bytes. */
function strongTag(header: string | null): string | null {
  return header !== null && /^"[\x21\x23-\x7e]*"$/.test(header) ? header : null;
}

function contentLength(header: string | null): number | null {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : null;
}
