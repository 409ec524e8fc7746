import type { QueuedReport, ReportKind } from '../reconciler/ports.ts';

/** What the SaaS answered, or that it did not. */
export type PostAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** At most ANSWER_MAX_BYTES (saas-client.ts). */
      readonly body: string;
      /** Of `Retry-After`, in milliseconds; null when there is none. */
      readonly retryAfterMs: number | null;
    }
  | { readonly kind: 'no_answer'; readonly message: string };

/**
 * One `POST` of a JSON document to the SaaS, `path` such as `/edge/notify`. Every expected failure is a value; rejects only
 * with the signal's reason when it is aborted.
 */
export type Post = (
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<PostAnswer>;

/** What follows from one attempt at a report. */
export type Delivery =
  | { readonly kind: 'delivered' }
  /** A part of it was taken; the rest is due at once. */
  | { readonly kind: 'more' }
  | { readonly kind: 'again'; readonly message: string; readonly retryAfterMs: number | null }
  | { readonly kind: 'parked'; readonly message: string };

/** Delivers one kind of report. */
export interface ReportSender {
  readonly kind: ReportKind;
  /** How a person calls a report of the kind: `the report of run 0199…`. */
  describe(report: QueuedReport): string;
  send(report: QueuedReport, post: Post, signal: AbortSignal): Promise<Delivery>;
}

/** The report itself is refused: it would be again (contract, section 7). */
const PARKING: ReadonlySet<number> = new Set([400, 409, 413, 422]);
const EXCERPT_MAX_CHARS = 300;

/** The contract's rule: 2xx delivered; 400, 409, 413, 422 parked; everything else, and no answer, again later. */
export function judge(path: string, answer: PostAnswer): Delivery {
  if (answer.kind === 'no_answer') return { kind: 'again', message: answer.message, retryAfterMs: null };
  if (answer.status >= 200 && answer.status < 300) return { kind: 'delivered' };
  const message = `POST ${path}: expected 2xx, found ${answer.status}${excerpt(answer.body)}`;
  if (PARKING.has(answer.status)) return { kind: 'parked', message };
  return { kind: 'again', message, retryAfterMs: answer.retryAfterMs };
}

/** The beginning of an answer's body, on one line, for a message. */
export function excerpt(body: string): string {
  const text = body.replaceAll(/\s+/g, ' ').trim();
  if (text === '') return '';
  return `: ${text.length <= EXCERPT_MAX_CHARS ? text : `${text.slice(0, EXCERPT_MAX_CHARS)}…`}`;
}
