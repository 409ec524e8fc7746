import { hostname } from 'node:os';
import { z } from 'zod';
import { EnrolAnswer } from '../schemas/enrolment.ts';
import type { HttpClient } from '../system/http-client.ts';
import { HttpError } from '../system/http-error.ts';
import type { DeviceKey } from '../trust/device-key.ts';
import { signRequestToken } from '../trust/request-token.ts';
import { publicPart } from '../trust/thumbprint.ts';
import { OperationError } from './operation-error.ts';
import { AGENT_VERSION, cpuArch, osName } from './version.ts';

const DEADLINE_MS = 30_000;
/** The root document is 512 KiB at most, and grows when it is put into a JSON string. */
const ANSWER_MAX_BYTES = 2 * 1024 * 1024;
const REASON_MAX_CHARACTERS = 500;
/** Proofs live for a minute: a clock further off than this has to be taken into account. */
const CLOCK_TOLERANCE_MS = 30_000;

const Refusal = z.looseObject({
  error: z.looseObject({ code: z.string().optional(), message: z.string().optional() }),
});

export interface EnrolmentCall {
  readonly client: HttpClient;
  readonly saasUrl: string;
  readonly token: string;
  readonly key: DeviceKey;
  readonly now: () => Date;
  /** The console's time minus ours, once it has answered. */
  readonly clockOffsetMs: () => number | null;
  readonly signal: AbortSignal;
}

/**
 * `POST /edge/enroll` (contract, section 7), with the proof that this machine holds the device key. Where the clock is wrong the
 * proof is made once more by the console's. Throws OperationError: exit 4 when the console does not take the token, 5 when
 * there is no answer or none to be used. Nothing in the answer is believed yet.
 */
export async function callEnrol(call: EnrolmentCall): Promise<EnrolAnswer> {
  const first = await post(call, 0);
  const offset = call.clockOffsetMs() ?? 0;
  const again = first.status === 401 && Math.abs(offset) > CLOCK_TOLERANCE_MS;
  const { status, text } = again ? await post(call, offset) : first;
  if (status !== 200 && status !== 201) throw refusal(status, text, call.saasUrl, offset);
  const parsed = EnrolAnswer.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? '' : ` (${issue.path.join('.') || 'the whole'}: ${issue.message})`;
  throw noAnswer(`${call.saasUrl}: expected the answer to an enrolment, found another document${where}`);
}

async function post(call: EnrolmentCall, offsetMs: number): Promise<{ status: number; text: string }> {
  const { client, key, signal } = call;
  const url = `${call.saasUrl.replace(/\/+$/, '')}/edge/enroll`;
  const now = new Date(call.now().getTime() + offsetMs);
  const proof = await signRequestToken({ jwk: key, issuer: key.kid, method: 'POST', url, now });
  const { kty, crv, x, kid } = publicPart(key);
  const body = {
    token: call.token,
    device_jwk: { kty, crv, x, kid },
    hostname: hostname().slice(0, 255),
    os: osName(),
    arch: cpuArch() ?? process.arch,
    agent_version: AGENT_VERSION,
  };
  try {
    const response = await client.request({
      method: 'POST',
      url,
      headers: {
        authorization: `Bearer ${proof}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify(body),
      signal,
      deadlineMs: DEADLINE_MS,
      maxBytes: ANSWER_MAX_BYTES,
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HttpError)) throw error;
    const hint = error.code === 'tls' ? ' (here: --ca-file <path>)' : '';
    throw noAnswer(`${error.message}${hint}; repeat the command with the same token`, error);
  }
}

function refusal(status: number, text: string, saasUrl: string, offsetMs: number): OperationError {
  const parsed = Refusal.safeParse(jsonOf(text));
  const { code = null, message = null } = parsed.success ? parsed.data.error : {};
  const said = message === null ? '' : `: ${printable(message)}`;
  if (status === 429 || status >= 500)
    return noAnswer(`${saasUrl} answered ${status}${said}; repeat the command later`);
  if (status >= 300 && status < 400) {
    return failed(
      `${saasUrl}: expected an answer, found a redirect (${status}); ask for a token with the right saas_url`,
      { status },
    );
  }
  const clock =
    Math.abs(offsetMs) > CLOCK_TOLERANCE_MS
      ? ` (this machine's clock is ${Math.round(Math.abs(offsetMs) / 1_000)} s ${offsetMs > 0 ? 'behind' : 'ahead of'} the console's)`
      : '';
  const otherKey =
    code === 'key_in_use' || code === 'agent_revoked'
      ? '; for a new device key name another --credentials-dir'
      : '';
  return failed(`${saasUrl} did not take the token (${status})${said}${otherKey}${clock}`, {
    status,
    code: code === null ? null : printable(code),
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The words of a server that nobody has vouched for: short, and without what a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ').slice(0, REASON_MAX_CHARACTERS);
}

function failed(message: string, details: unknown): OperationError {
  return new OperationError('enrolment_failed', message, { exitCode: 4, details });
}

function noAnswer(message: string, cause?: unknown): OperationError {
  return new OperationError('unreachable', message, { exitCode: 5, cause });
}
