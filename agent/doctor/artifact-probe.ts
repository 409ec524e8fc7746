import { EMPTY_SHA256, signatureHeaders } from '../../sources/artifacts/signature-v4.ts';
import type { Callers } from './callers.ts';
import { type Finding, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';

const DEADLINE_MS = 10_000;
const MAX_BYTES = 65_536;
const NAME = 'network.artifacts.call';
const EXPECTED = 'the store knows the keys of artifacts.json';

/**
 * A signed question for one name of the first bucket. An agent that may only read objects is told so (AccessDenied), and by that
 * knows that its keys are good.
 */
export function createArtifactProbe(
  { loaded: { config } }: Patient,
  callers: Callers,
  endpoint: URL,
): (signal: AbortSignal) => Promise<Finding> {
  const { allow = [], region } = config.artifacts;
  const bucket = allow
    .map((prefix) => /^s3:\/\/([^/]+)/.exec(prefix)?.[1])
    .find((name) => name !== undefined);
  const base = endpoint.href.replace(/\/+$/, '');
  const url = new URL(bucket === undefined ? `${base}/` : `${base}/${bucket}?list-type=2&max-keys=1`);

  const ask = async (key: { access_key: string; secret_key: string }, now: Date, signal: AbortSignal) => {
    const signed = { method: 'GET', url, payloadSha256: EMPTY_SHA256 };
    const response = await callers.client('artifacts').request({
      method: 'GET',
      url,
      headers: signatureHeaders(signed, { ...key, region }, now),
      signal,
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
    });
    const text = await response.text().catch(() => '');
    const code = /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text)?.[1] ?? null;
    return { status: response.status, code, date: response.headers.get('date') };
  };

  return async (signal) => {
    try {
      const key = await callers.credentials.artifacts();
      if (key === null) return ok(NAME, 'no artifacts.json: bundles are asked for without a key', EXPECTED);
      const first = await ask(key, callers.clock.now(), signal);
      const skewed = first.code === 'RequestTimeTooSkewed';
      const { status, code } = skewed ? await ask(key, new Date(first.date ?? 0), signal) : first;
      return verdict(status, code);
    } catch (error) {
      signal.throwIfAborted();
      return fail(NAME, (error as Error).message, EXPECTED, null);
    }
  };
}

function verdict(status: number, code: string | null): Finding {
  const found = `status ${status}${code === null ? '' : ` (${code})`}`;
  if (status === 200) return ok(NAME, 'lets in the keys of artifacts.json', EXPECTED);
  if (code === 'AccessDenied')
    return ok(NAME, 'lets in the keys of artifacts.json, and lets them list nothing', EXPECTED);
  if (code === 'NoSuchBucket')
    return warn(NAME, found, EXPECTED, 'correct artifacts.allow, or make the bucket');
  if (status === 401 || status === 403)
    return fail(NAME, found, EXPECTED, 'put the right keys into artifacts.json, or enrol again', 4);
  if (status >= 500) return fail(NAME, found, EXPECTED, 'look at the store; the agent tries again');
  return warn(NAME, found, EXPECTED, 'check artifacts.endpoint and artifacts.allow');
}
