import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';

/** What a forge says in its own headers and body; only what a push to a branch needs is looked at. */
export type HookCall =
  | { readonly kind: 'push'; readonly ref: string; readonly commit: string | null }
  /** A ping, a tag, an issue: signed, and nothing to be done. */
  | { readonly kind: 'other'; readonly event: string }
  | { readonly kind: 'malformed'; readonly message: string };

const Push = z.looseObject({ ref: z.string().max(512), after: z.string().max(128).nullish() });
const EVENT_HEADERS = ['x-github-event', 'x-gitea-event', 'x-gogs-event', 'x-gitlab-event'] as const;

/**
 * Whether the call was made by somebody who knows the secret: GitHub signs the bytes of the body (`X-Hub-Signature-256:
 * sha256=<hex>`), Gitea, Forgejo and Gogs too (hex alone), GitLab sends the secret itself. Compared in constant time.
 */
export function isSignedBy(secret: string, headers: IncomingHttpHeaders, body: Uint8Array): boolean {
  const expected = createHmac('sha256', secret).update(body).digest('hex');
  const signatures = [
    one(headers['x-hub-signature-256'])?.replace(/^sha256=/, ''),
    one(headers['x-gitea-signature']),
    one(headers['x-gogs-signature']),
  ].filter((signature) => signature !== undefined);
  if (signatures.length > 0) {
    return signatures.every((signature) => isSame(signature.toLowerCase(), expected));
  }
  const token = one(headers['x-gitlab-token']);
  return token !== undefined && isSame(token, secret);
}

/** `body` is JSON, or a form with the JSON in `payload` (GitHub's other content type). */
export function readHookCall(headers: IncomingHttpHeaders, body: Uint8Array): HookCall {
  const event =
    EVENT_HEADERS.map((name) => one(headers[name])).find((found) => found !== undefined) ?? 'push';
  if (!/^push( hook)?$/i.test(event)) return { kind: 'other', event: event.slice(0, 64) };
  const text = Buffer.from(body).toString('utf8');
  const isForm = one(headers['content-type'])?.startsWith('application/x-www-form-urlencoded') === true;
  let value: unknown;
  try {
    value = JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text);
  } catch {
    return { kind: 'malformed', message: 'expected the body of a push event as JSON' };
  }
  const push = Push.safeParse(value);
  if (!push.success) return { kind: 'malformed', message: 'expected the body of a push event with "ref"' };
  const { ref, after } = push.data;
  // A branch that was deleted is at 40 zeros.
  const isCommit = typeof after === 'string' && /^[0-9a-f]{40}$/.test(after) && !/^0+$/.test(after);
  return { kind: 'push', ref, commit: isCommit ? after : null };
}

function one(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

/** Digests are compared, as they are of one length whatever was sent. */
function isSame(found: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(found), digest(expected));
}
