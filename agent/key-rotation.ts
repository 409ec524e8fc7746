import { KeyRotationAnswer } from '../schemas/identity.ts';
import type { Post, PostAnswer } from '../sinks/delivery.ts';
import { newKey } from '../trust/ceremony/new-key.ts';
import type { DeviceKey } from '../trust/device-key.ts';
import { signRotationProof } from '../trust/key-rotation.ts';
import type { DeviceKeyStore } from '../trust/key-stores/port.ts';
import { publicPart } from '../trust/thumbprint.ts';
import { errorIn, printable } from './console-answer.ts';

const ROTATE_PATH = '/edge/rotate-key';

export type RotationOutcome =
  | { readonly kind: 'changed'; readonly before: string; readonly thumbprint: string }
  /** The console does not know how: nothing has changed. */
  | { readonly kind: 'unsupported'; readonly message: string }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'no_answer'; readonly message: string }
  | { readonly kind: 'not_enrolled' };

export interface RotationParts {
  readonly store: () => Promise<DeviceKeyStore>;
  readonly agentId: () => string | null;
  readonly saasUrl: () => string | null;
  /** A call signed by the key that is given, whose token names the key that follows it (its thumbprint). */
  readonly postAs: (signer: DeviceKey, next: string) => Post | null;
  /** The time as the console has it. */
  readonly now: () => Date;
  /** Another key is in force on this machine. */
  readonly onChanged: () => void;
}

export interface KeyRotation {
  /**
   * Puts a new device key in force (docs/spec/console-api.md). The new one is on disk before the console hears of it and the
   * old one until the console has answered, and both sides may be asked again after any crash. One at a time. Throws
   * DeviceKeyError when a key cannot be read or written.
   */
  rotate(signal: AbortSignal): Promise<RotationOutcome>;
  /** Finds out which key is in force when a change was cut short; null when none was. */
  settle(signal: AbortSignal): Promise<RotationOutcome | null>;
}

export function createKeyRotation(parts: RotationParts): KeyRotation {
  let underWay: Promise<RotationOutcome> | null = null;

  const ask = async (signer: DeviceKey, from: DeviceKey, next: DeviceKey, signal: AbortSignal) => {
    const [agentId, saasUrl, post] = [parts.agentId(), parts.saasUrl(), parts.postAs(signer, next.kid)];
    if (agentId === null || saasUrl === null || post === null) return null;
    const proof = await signRotationProof({ next, agentId, from: from.kid, url: saasUrl, now: parts.now() });
    return post(ROTATE_PATH, { device_jwk: publicPart(next), proof }, {}, signal);
  };

  const change = async (signal: AbortSignal): Promise<RotationOutcome> => {
    const store = await parts.store();
    const current = await store.read('current');
    if (current === null) return { kind: 'not_enrolled' };
    let next = await store.read('next');
    if (next?.kid === current.kid) {
      // a crash after the new key was put in place, and before it was taken from the other
      await store.remove('next');
      next = null;
    }
    let answer: PostAnswer | null = null;
    // Whether it is in force already only the console knows. The old key is not tried before: it may be retired by now.
    if (next !== null) answer = await ask(next, current, next, signal);
    if (next === null) {
      next = newKey();
      await store.write('next', next);
    }
    if (answer === null || (answer.kind === 'answer' && answer.status === 401)) {
      answer = await ask(current, current, next, signal);
    }
    if (answer === null) return { kind: 'not_enrolled' };
    const outcome = judge(answer, current, next);
    if (outcome.kind === 'changed') {
      await store.write('current', next);
      await store.remove('next');
      parts.onChanged();
    }
    // a key that is somebody's is none: another one is made the next time
    if (outcome.kind === 'refused' && answer.kind === 'answer' && answer.status === 409)
      await store.remove('next');
    return outcome;
  };

  const rotate = async (signal: AbortSignal): Promise<RotationOutcome> => {
    underWay ??= change(signal).finally(() => {
      underWay = null;
    });
    return underWay;
  };

  return {
    rotate,
    async settle(signal) {
      const store = await parts.store();
      return (await store.read('next')) === null ? null : rotate(signal);
    },
  };
}

function judge(answer: PostAnswer, current: DeviceKey, next: DeviceKey): RotationOutcome {
  if (answer.kind === 'no_answer') return answer;
  const { status, body } = answer;
  const said = errorIn(body);
  const found = said?.message == null ? '' : `: ${printable(said.message)}`;
  const message = `expected the console to take the new device key, found ${status}${found}`;
  if (status === 200) {
    const parsed = KeyRotationAnswer.safeParse(jsonOf(body));
    if (parsed.success && parsed.data.thumbprint === next.kid) {
      return { kind: 'changed', before: current.kid, thumbprint: next.kid };
    }
    return {
      kind: 'unsupported',
      message: 'expected the thumbprint of the new device key, found another answer',
    };
  }
  if (status === 404 || status === 405 || status === 501) return { kind: 'unsupported', message };
  if (status === 429 || status >= 500) return { kind: 'no_answer', message };
  return { kind: 'refused', message };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
