import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { comesFrom, machineFingerprint, noteMachine } from '../../agent/machine-fingerprint.ts';
import { type CeremonyFolder, ceremonyFolder } from './ceremony-folder.ts';

let folder: CeremonyFolder;
beforeEach(async () => {
  folder = await ceremonyFolder();
});
afterEach(async () => folder[Symbol.asyncDispose]());

const of = async (agentId: string, id: string | null) =>
  machineFingerprint(agentId, async () => Promise.resolve(id));

describe('the fingerprint of a machine', () => {
  it('is one for an agent on a machine, tells nothing of the machine, and none where it has no id', async () => {
    const one = await of('a', 'id-1');
    expect(one).toMatch(/^[\w-]{22}$/);
    expect(await of('a', 'id-1')).toBe(one);
    expect(new Set([one, await of('a', 'id-2'), await of('b', 'id-1')]).size).toBe(3);
    expect(await of('a', null)).toBe(null);
    const failing = machineFingerprint('a', async () => Promise.reject(new Error('no such program')));
    expect(await failing).toBe(null);
  });

  it('is of this very machine where the system has given it one', async () => {
    expect(await machineFingerprint('a')).toBe(await machineFingerprint('a'));
  });

  it('says from which machine credentials come, of this agent and while that is known', async () => {
    const [here, there] = [await of('a', 'id-1'), await of('a', 'id-2')] as [string, string];
    expect(await comesFrom(folder.path, 'a', here)).toBe(null);
    await noteMachine(folder.path, 'a', there);
    expect(await comesFrom(folder.path, 'a', here)).toEqual({ hostname: expect.any(String) as string });
    expect(await comesFrom(folder.path, 'a', there)).toBe(null);
    expect(await comesFrom(folder.path, 'a', null)).toBe(null);
    expect(await comesFrom(folder.path, 'b', here)).toBe(null);
    await folder.write('machine.json', '{"format": 2}');
    expect(await comesFrom(folder.path, 'a', here)).toBe(null);
  });
});
