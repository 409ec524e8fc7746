import type { EnrolAnswer } from '../schemas/enrolment.ts';
import type { DeviceKey } from '../trust/device-key.ts';
import { otherDeviceKey } from './enrolled-credentials.ts';
import { callEnrol, type EnrolmentCall } from './enrolment-call.ts';
import { OperationError } from './operation-error.ts';

/** The console takes the token, and not this key: it was revoked, or replaced by another one. */
const KEY_IS_OVER: ReadonlySet<unknown> = new Set(['agent_revoked', 'key_retired']);

/**
 * Enrols with the device key that is there, or with another one where the console says that this one may not come back: the token
 * is what lets the machine in. The other key is on disk before it is used, so that a repeated enrolment presents the same.
 */
export async function callWithUsableKey(
  call: Omit<EnrolmentCall, 'key'>,
  key: DeviceKey,
  credentialsDir: string,
): Promise<{ answer: EnrolAnswer; key: DeviceKey; replaced: boolean }> {
  const first = await attempt(call, key);
  if ('answer' in first) return { ...first, key, replaced: false };
  for (const fresh of [false, true]) {
    const other = await otherDeviceKey(credentialsDir, fresh);
    if (other === null) continue;
    const next = await attempt(call, other);
    if ('answer' in next) return { ...next, key: other, replaced: true };
  }
  throw first.refusal;
}

async function attempt(
  call: Omit<EnrolmentCall, 'key'>,
  key: DeviceKey,
): Promise<{ answer: EnrolAnswer } | { refusal: OperationError }> {
  try {
    return { answer: await callEnrol({ ...call, key }) };
  } catch (error) {
    if (!(error instanceof OperationError) || !KEY_IS_OVER.has(codeIn(error.details))) throw error;
    return { refusal: error };
  }
}

function codeIn(details: unknown): unknown {
  return typeof details === 'object' && details !== null && 'code' in details ? details.code : null;
}
