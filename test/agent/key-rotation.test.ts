import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKeyRotation } from '../../agent/key-rotation.ts';
import type { PostAnswer } from '../../sinks/delivery.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import type { DeviceKey } from '../../trust/device-key.ts';
import { deviceKeyStoreOf, loadOrCreateDeviceKey } from '../../trust/device-keys.ts';
import type { DeviceKeyStore } from '../../trust/key-stores/port.ts';
import { type CeremonyFolder, ceremonyFolder } from './ceremony-folder.ts';

let folder: CeremonyFolder;
beforeEach(async () => {
  folder = await ceremonyFolder();
});
afterEach(async () => folder[Symbol.asyncDispose]());

/** The console's half in memory: the key in force, and the one before until the new one has spoken. */
function consoleOf(first: DeviceKey) {
  const keys = { inForce: first.kid, before: '' };
  return {
    keys,
    speak(signer: DeviceKey): boolean {
      if (signer.kid !== keys.inForce) return signer.kid === keys.before;
      keys.before = '';
      return true;
    },
    take(signer: DeviceKey, body: unknown): PostAnswer {
      const { kid } = (body as { device_jwk: { kid: string } }).device_jwk;
      if (!this.speak(signer)) return answer(401, { error: { code: 'signature_invalid' } });
      if (kid !== keys.inForce) {
        keys.before = keys.inForce;
        keys.inForce = kid;
      }
      return answer(200, { agent_id: 'a', thumbprint: kid });
    },
  };
}
const answer = (status: number, body: unknown): PostAnswer => ({
  kind: 'answer',
  status,
  body: JSON.stringify(body),
  retryAfterMs: null,
});

/** Ends, as a crash does, at the step that is named; everything before it has happened. */
class Crash extends Error {}

const never = new AbortController().signal;
type Take = (signer: DeviceKey, body: unknown) => PostAnswer;

function rotationOn(store: DeviceKeyStore, take: Take) {
  return createKeyRotation({
    store: async () => Promise.resolve(store),
    agentId: () => 'a',
    saasUrl: () => 'https://console.example',
    now: () => new Date(),
    onChanged: () => {},
    postAs: (signer) => async (_path, body) => Promise.resolve(take(signer, body)),
  });
}

/** A store whose `count`-th change is not begun, or is done and not returned from. */
function crashing(store: DeviceKeyStore, count: number, done: boolean): DeviceKeyStore {
  let left = count;
  const step = async (work: () => Promise<void>) => {
    left -= 1;
    if (left === 0 && !done) throw new Crash();
    await work();
    if (left === 0) throw new Crash();
  };
  return {
    ...store,
    write: async (slot, key) => step(async () => store.write(slot, key)),
    remove: async (slot) => step(async () => store.remove(slot)),
  };
}

describe('the change of the device key', () => {
  it('puts the new key in the place of the old one, and leaves no other', async () => {
    const first = await loadOrCreateDeviceKey(folder.path);
    const store = await deviceKeyStoreOf(folder.path);
    const saas = consoleOf(first);
    const outcome = await rotationOn(store, (signer, body) => saas.take(signer, body)).rotate(never);
    expect(outcome).toEqual({ kind: 'changed', before: first.kid, thumbprint: saas.keys.inForce });
    expect((await store.read('current'))?.kid).toBe(saas.keys.inForce);
    expect(await store.read('next')).toBe(null);
  });

  const steps = [1, 2, 3].flatMap((count) => [false, true].map((done) => [count, done] as const));
  it.each(steps)('gets in after a crash at change %i of the disk, done: %s', async (count, done) => {
    const first = await loadOrCreateDeviceKey(folder.path);
    const store = await deviceKeyStoreOf(folder.path);
    const saas = consoleOf(first);
    const take: Take = (signer, body) => saas.take(signer, body);
    await expect(rotationOn(crashing(store, count, done), take).rotate(never)).rejects.toThrow(Crash);
    const settled = await rotationOn(store, take).settle(never);
    expect([null, 'changed']).toContain(settled?.kind ?? null);
    const key = (await store.read('current')) as DeviceKey;
    expect(saas.speak(key)).toBe(true);
    expect(await store.read('next')).toBe(null);
    expect((await rotationOn(store, take).rotate(never)).kind).toBe('changed');
  });

  it.each([true, false])(
    'gets in after an answer that was lost, the console having switched: %s',
    async (switched) => {
      const first = await loadOrCreateDeviceKey(folder.path);
      const store = await deviceKeyStoreOf(folder.path);
      const saas = consoleOf(first);
      const lost: Take = (signer, body) => {
        if (switched) saas.take(signer, body);
        return { kind: 'no_answer', message: 'cut off' };
      };
      expect((await rotationOn(store, lost).rotate(never)).kind).toBe('no_answer');
      // until it is settled, the old key is in use, and still taken
      expect(saas.speak((await store.read('current')) as DeviceKey)).toBe(true);
      const signers: string[] = [];
      const next = (await store.read('next')) as DeviceKey;
      const take: Take = (signer, body) => {
        signers.push(signer.kid === next.kid ? 'next' : 'current');
        return saas.take(signer, body);
      };
      expect(await rotationOn(store, take).settle(never)).toMatchObject({
        kind: 'changed',
        thumbprint: next.kid,
      });
      // the old one is not used any more where it may be retired
      expect(signers).toEqual(switched ? ['next'] : ['next', 'current']);
    },
  );

  it('changes nothing where the console does not know how, refuses, or does not answer', async () => {
    const first = await loadOrCreateDeviceKey(folder.path);
    const store = await deviceKeyStoreOf(folder.path);
    const refusals: [PostAnswer, string][] = [
      [answer(404, {}), 'unsupported'],
      [answer(200, { html: 'a captive portal' }), 'unsupported'],
      [answer(422, { error: { code: 'proof_invalid', message: 'no' } }), 'refused'],
      [answer(403, { error: { code: 'agent_revoked', message: 'gone' } }), 'refused'],
      [answer(503, {}), 'no_answer'],
      [{ kind: 'no_answer', message: 'down' }, 'no_answer'],
    ];
    for (const [refusal, kind] of refusals) {
      expect((await rotationOn(store, () => refusal).rotate(never)).kind).toBe(kind);
      expect((await store.read('current'))?.kid).toBe(first.kid);
    }
    // what was made ready is kept: one of the answers may have been lost on its way
    const next = await store.read('next');
    expect(next).not.toBe(null);
    await rotationOn(store, () => answer(409, { error: { code: 'key_in_use' } })).rotate(never);
    expect(await store.read('next')).toBe(null);
  });

  it('is one at a time, and nothing without a key', async () => {
    const store = await deviceKeyStoreOf(folder.path);
    expect(await rotationOn(store, () => answer(500, {})).rotate(never)).toEqual({ kind: 'not_enrolled' });
    const first = newKey();
    await store.write('current', first);
    const saas = consoleOf(first);
    const rotation = rotationOn(store, (signer, body) => saas.take(signer, body));
    const [one, two] = await Promise.all([rotation.rotate(never), rotation.rotate(never)]);
    expect(two).toBe(one);
  });
});
