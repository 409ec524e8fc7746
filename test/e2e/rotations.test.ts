import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GeneralJws } from '../../schemas/jws.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import {
  type BranchFiles,
  createSignedTenant,
  daysAhead,
  rootFiles,
  type SignedTenant,
  type TenantMachine,
} from '../support/signed-tenant.ts';

let tenant: SignedTenant;
/** Release 5 is applied here, under root 1. */
let good: TenantMachine;
let five: BranchFiles;
beforeAll(async () => {
  tenant = await createSignedTenant();
  good = tenant.machine();
  five = await tenant.files(tenant.manifest('good'), { seq: 5, version: 'v5' });
  good.publish(five);
  await good.apply();
}, 60_000);
afterAll(() => tenant[Symbol.asyncDispose]());

const evil = () => tenant.manifest('evil', { version: 'v9' });

describe('a release key in other hands', () => {
  it('is rotated out: what it signed and signs is refused, and the numbers it used up do not count', async () => {
    const machine = tenant.machine(good);
    await machine.withDaemon(async () => {
      const [stolen, kept] = tenant.keys.release;
      // Both of them are needed for a release, so this thief has two.
      const last = await tenant.files(evil(), { seq: Number.MAX_SAFE_INTEGER });
      machine.publish(last);
      expect(await machine.look()).toBe('0');
      expect(await machine.runs()).toBe('evil\n');
      machine.publish(await tenant.files(tenant.manifest('good'), { seq: 6 }));
      expect(await machine.look()).toBe('3 seq_rollback');
      machine.publish(
        await tenant.files(evil(), {
          seq: Number.MAX_SAFE_INTEGER,
          issued: '2099-01-01T00:00:00Z',
          expires: '2100-01-01T00:00:00Z',
        }),
      );
      expect(await machine.look()).toBe('3 issued_in_future');

      const fresh = newKey();
      const two = await tenant.nextRoot(tenant.root, { keys: { release: [kept, fresh] } });
      const honest = await tenant.files(
        tenant.manifest('honest', { version: 'v1' }),
        { seq: 1, root_version: 2 },
        [kept, fresh],
      );
      machine.publish({ ...honest, ...rootFiles(tenant.root, two) });
      expect(await machine.look()).toBe('0');
      expect(await machine.runs()).toBe('honest\n');

      const again: Readonly<Record<string, BranchFiles>> = {
        'its last release, with the new root beside it': { ...last, ...rootFiles(two) },
        'its last release, with the new root withheld': last,
        'a release before the theft': five,
        'a new one by the stolen key and its own': await tenant.files(evil(), { seq: 2, root_version: 2 }, [
          stolen,
          newKey(),
        ]),
        'a new one by the stolen key and the one that stayed': await tenant.files(
          evil(),
          { seq: 2, root_version: 2 },
          [stolen, kept],
        ),
      };
      for (const [what, files] of Object.entries(again)) {
        machine.publish(files);
        expect(`${what}: ${await machine.look()}`).toBe(`${what}: 3 threshold_not_met`);
      }
      expect(await machine.runs()).toBe('honest\n');
    });
    // The root that was accepted is remembered without the state, too.
    rmSync(join(machine.cache, '.agent'), { recursive: true });
    expect(await machine.reconcile()).toMatchObject({ code: 3, error: { code: 'threshold_not_met' } });
  }, 120_000);
});

describe('a root key in other hands', () => {
  it('is rotated out, with one that was lost: they make no root any more, nor did one of them before', async () => {
    const machine = tenant.machine(good);
    await machine.withDaemon(async () => {
      const [ann, ben, stolen] = tenant.keys.root;
      const alone = await tenant.nextRoot(
        tenant.root,
        { keys: { release: [newKey()] }, thresholds: { release: 1 } },
        [stolen],
      );
      machine.publish({ ...five, ...rootFiles(alone) });
      expect(await machine.look()).toBe('3 root_threshold_not_met');

      const cai = newKey();
      const two = await tenant.nextRoot(tenant.root, { keys: { root: [ann, ben, cai] } }, [ann, ben]);
      const six = await tenant.files(tenant.manifest('six', { version: 'v6' }), { seq: 6, root_version: 2 });
      machine.publish({ ...six, ...rootFiles(two) });
      expect(await machine.look()).toBe('0');

      const thief = newKey();
      const own = { keys: { root: [thief], release: [thief] }, thresholds: { root: 1, release: 1 } };
      const forks: readonly GeneralJws[] = [
        // After root 2, by the stolen key, by it and one that counts, and beside root 2.
        await tenant.nextRoot(two, own, [stolen, thief]),
        await tenant.nextRoot(two, own, [stolen, ann, thief]),
      ];
      for (const fork of forks) {
        machine.publish({
          ...(await tenant.files(evil(), { seq: 7, root_version: 3 }, [thief])),
          ...rootFiles(two, fork),
        });
        expect(await machine.look()).toBe('3 root_threshold_not_met');
      }
      // With the new key the three lead on as before.
      const three = await tenant.nextRoot(two, {}, [cai, ben]);
      const seven = await tenant.files(tenant.manifest('seven', { version: 'v7' }), {
        seq: 7,
        root_version: 3,
      });
      machine.publish({ ...seven, ...rootFiles(two, three) });
      expect(await machine.look()).toBe('0');
      expect(await machine.runs()).toBe('seven\n');

      // Another root 2, by the thief: once beside the state, once without it.
      const beside = await tenant.nextRoot(tenant.root, own, [stolen, ann, thief]);
      machine.publish({ ...(await tenant.files(evil(), { seq: 8 }, [thief])), ...rootFiles(beside) });
      expect(await machine.look()).toBe('3 root_conflict');
    });
    rmSync(join(machine.cache, '.agent'), { recursive: true });
    expect(await machine.reconcile()).toMatchObject({ code: 3, error: { code: 'root_conflict' } });
    expect(machine.current().seq?.value).toBe(7);
  }, 120_000);

  it('changes nothing for a machine that was away for many rotations, expired ones among them', async () => {
    const machine = tenant.machine(good);
    await machine.withDaemon(async () => {
      let keys = [...tenant.keys.root];
      const roots: GeneralJws[] = [];
      for (let version = 2; version <= 6; version += 1) {
        const next = [...keys.slice(1), newKey()];
        const changes = { keys: { root: next }, expires: daysAhead(version === 6 ? 365 : -version) };
        roots.push(await tenant.nextRoot(roots.at(-1) ?? tenant.root, changes, keys.slice(1)));
        keys = next;
      }
      const six = await tenant.files(tenant.manifest('six', { version: 'v6' }), { seq: 6, root_version: 6 });
      machine.publish({ ...six, ...rootFiles(...roots) });
      expect(await machine.look()).toBe('0');
      const accepted = machine.events().filter(({ reason }) => reason === 'RootAccepted');
      expect(accepted.map(({ message }) => message)).toEqual(
        [2, 3, 4, 5, 6].map((n) => `root ${n} is accepted`),
      );
      expect(await machine.runs()).toBe('six\n');
    });
  }, 60_000);
});

describe('the agent role, which is reserved', () => {
  it('is carried through a rotation, and its keys sign nothing that this agent takes', async () => {
    const machine = tenant.machine(good);
    await machine.withDaemon(async () => {
      const { agent, release } = tenant.keys;
      machine.publish(await tenant.files(evil(), { seq: 6 }, [agent, release[0]]));
      expect(await machine.look()).toBe('3 threshold_not_met');
      machine.publish({
        ...five,
        ...rootFiles(await tenant.nextRoot(tenant.root, {}, [agent, tenant.keys.root[0]])),
      });
      expect(await machine.look()).toBe('3 root_threshold_not_met');
      const next = newKey();
      const two = await tenant.nextRoot(tenant.root, { keys: { agent: [next] } });
      const six = await tenant.files(tenant.manifest('six', { version: 'v6' }), { seq: 6, root_version: 2 });
      machine.publish({ ...six, ...rootFiles(two) });
      expect(await machine.look()).toBe('0');
      for (const key of [agent, next]) {
        machine.publish(await tenant.files(evil(), { seq: 7, root_version: 2 }, [key, release[0]]));
        expect(await machine.look()).toBe('3 threshold_not_met');
      }
      expect(await machine.runs()).toBe('six\n');
    });
  }, 120_000);
});
