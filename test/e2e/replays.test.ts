import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/daemon.ts';
import {
  type BranchFiles,
  createSignedTenant,
  type SignedTenant,
  SLUG,
  type TenantMachine,
} from '../support/signed-tenant.ts';

const BRANCH = `refs/heads/tenant/${SLUG}`;
const never = new AbortController().signal;

let tenant: SignedTenant;
/** Release 4 was applied here, then release 5. */
let good: TenantMachine;
let older: { commit: string; files: BranchFiles };
beforeAll(async () => {
  tenant = await createSignedTenant();
  good = tenant.machine();
  const files = await tenant.files(tenant.manifest('old', { version: 'v4' }), { seq: 4 });
  older = { files, commit: good.publish(files) };
  await good.apply();
  good.publish(await tenant.files(tenant.manifest('good', { version: 'v5' }), { seq: 5 }));
  await good.apply();
}, 60_000);
afterAll(() => tenant[Symbol.asyncDispose]());

/** Ways to put release 4 back. */
const REPLAYS: Readonly<Record<string, (machine: TenantMachine) => void>> = {
  'as a new commit': (machine) => machine.publish(older.files),
  'by a forced push back to its commit': (machine) =>
    machine.repository.git('update-ref', BRANCH, older.commit),
  'by a forced push of another history': (machine) => machine.publish(older.files, { parents: null }),
};

/** What a machine may lose before it looks again. Every look is a process of its own: nothing is known but what is on disk. */
const LOSSES: Readonly<Record<string, (machine: TenantMachine) => void>> = {
  'a restart': () => {},
  'the git cache was deleted': ({ cache }) => rmSync(join(cache, '.agent', 'git'), { recursive: true }),
  'the database was deleted': ({ cache }) => {
    for (const end of ['', '-wal', '-shm']) rmSync(join(cache, '.agent', `agent.db${end}`), { force: true });
  },
  'the state directory was deleted': ({ cache }) => rmSync(join(cache, '.agent'), { recursive: true }),
  'all was deleted but the credentials': ({ cache }) => rmSync(cache, { recursive: true }),
  'the memory beside the credentials was deleted': ({ folder }) =>
    rmSync(join(folder, 'credentials', 'trust-state.json')),
  'all was deleted but current.json and what it names': ({ cache, folder }) => {
    rmSync(join(cache, '.agent'), { recursive: true });
    rmSync(join(folder, 'credentials', 'trust-state.json'));
  },
};

/** Each loss is a machine, a commit and two processes: all of them with EDGE_AGENT_SLOW_TESTS, always those that take most away. */
const TRIED =
  process.env['EDGE_AGENT_SLOW_TESTS'] === undefined
    ? Object.keys(LOSSES).filter((lost) => lost.startsWith('all ') || lost.startsWith('the git cache'))
    : Object.keys(LOSSES);

/** With the whole sentence where it is another one. */
async function refusal(machine: TenantMachine): Promise<string> {
  const { code, error } = await machine.reconcile();
  return code === 3 ? `3 ${error?.code}` : `${code} ${error?.code}: ${error?.message}`;
}

describe('an older release put back', () => {
  it.each([
    ...TRIED.map((lost) => ['as a new commit', lost] as const),
    ...Object.keys(REPLAYS)
      .slice(1)
      .flatMap((how) => ['a restart', 'the state directory was deleted'].map((lost) => [how, lost] as const)),
  ])(
    '%s is refused after %s',
    async (how, lost) => {
      const machine = tenant.machine(good);
      LOSSES[lost]?.(machine);
      REPLAYS[how]?.(machine);
      expect(await refusal(machine)).toBe('3 seq_rollback');
      const kept = lost !== 'all was deleted but the credentials';
      expect(kept ? machine.pointer() : good.pointer()).toBe(good.pointer());
    },
    60_000,
  );

  it('is refused by a daemon that has been running all along, whose flow goes on', async () => {
    const machine = tenant.machine(good);
    await machine.withDaemon(async () => {
      for (const replay of Object.values(REPLAYS)) {
        replay(machine);
        expect(await machine.look()).toBe('3 seq_rollback');
      }
      expect(await machine.runs()).toBe('good\n');
    });
  }, 120_000);

  it('leads nowhere when somebody then puts the newest back: it is the same release, and nothing is done', async () => {
    const machine = tenant.machine(good);
    const newest = machine.repository.git('rev-parse', BRANCH);
    machine.repository.git('update-ref', BRANCH, older.commit);
    expect(await machine.reconcile()).toMatchObject({ code: 3 });
    machine.repository.git('update-ref', BRANCH, newest);
    const { code, report } = await machine.reconcile();
    expect({ code, actions: report.actions }).toEqual({ code: 0, actions: [] });
  }, 60_000);
});

describe('a newer release', () => {
  it('closes the way back as soon as it is believed, long before it is active', async () => {
    const machine = tenant.machine(good);
    const nowhere = tenant.manifest('six', {
      version: 'v6',
      edge_url: `${tenant.artifacts.origin}/bundles/none`,
    });
    const five = machine.repository.git('rev-parse', BRANCH);
    machine.publish(await tenant.files(nowhere, { seq: 6 }));
    expect((await machine.reconcile()).code).toBe(5);
    expect(machine.current()).toMatchObject({ seq: { value: 5 }, flows: { default: { version: 'v5' } } });
    machine.repository.git('update-ref', BRANCH, five);
    expect(await refusal(machine)).toBe('3 seq_rollback');
    expect(await machine.runs()).toBe('good\n');
  }, 60_000);

  it('is taken whatever its commits descend from: seq decides, and not the history of git', async () => {
    const machine = tenant.machine(good);
    const six = await tenant.files(tenant.manifest('six', { version: 'v6' }), { seq: 6 });
    machine.publish(six, { parents: [older.commit] });
    await machine.apply();
    machine.publish(await tenant.files(tenant.manifest('seven', { version: 'v7' }), { seq: 7 }), {
      parents: null,
    });
    await machine.apply();
    expect(await machine.runs()).toBe('seven\n');
  }, 60_000);
});

describe('a tag', () => {
  it('that is moved changes nothing, and gives another digest another folder', async () => {
    const machine = tenant.machine(good);
    const { repository } = machine;
    const six = machine.publish(await tenant.files(tenant.manifest('six'), { seq: 6 }));
    repository.tag('v1.0.6', six);
    await machine.apply();
    expect(machine.current().flows['default']).toMatchObject({ version: 'v1.0.6', path: 'v1.0.6' });
    repository.tag('v1.0.6', older.commit);
    repository.tag('v1.0.9', older.commit);
    const { report } = await machine.apply();
    expect(report.actions).toEqual([]);

    const seven = machine.publish(await tenant.files(tenant.manifest('seven'), { seq: 7 }));
    repository.tag('v1.0.6', seven);
    await machine.apply();
    const { sha256, path } = machine.current().flows['default'] ?? {};
    expect(path).toBe(`v1.0.6+${sha256?.slice(0, 8)}`);
    expect(machine.current().flows['default']?.previous?.path).toBe('v1.0.6');
    expect(await machine.runs()).toBe('seven\n');
  }, 60_000);
});

describe('files of two commits', () => {
  it('are never one release: the manifest of one beside the statement of another is refused', async () => {
    const machine = tenant.machine(good);
    const six = await tenant.files(tenant.manifest('six', { version: 'v6' }), { seq: 6 });
    machine.publish({ ...six, 'manifest.json': older.files['manifest.json'] as string });
    expect(await refusal(machine)).toBe('3 manifest_mismatch');
    expect(machine.pointer()).toBe(good.pointer());
  }, 60_000);
});

describe('time that stands still', () => {
  it('ends a release while its flow goes on running: nothing new is applied, and the status says so', async () => {
    const machine = tenant.machine(good);
    await machine.withDaemon(async () => {
      // As long as this machine needs to apply it before its end.
      let seq = 6;
      for (let seconds = 4; ; seconds *= 2, seq += 1) {
        const expires = new Date(Date.now() + seconds * 1_000).toISOString();
        const plan = { seq, expires };
        machine.publish(await tenant.files(tenant.manifest('brief', { version: 'brief' }), plan));
        if ((await machine.look()) === '0') break;
        expect(seconds).toBeLessThan(120);
      }
      await until('its end', async () => (await machine.look()) === '3 release_expired', 150_000);
      const pointer = machine.pointer();
      const status = await machine.operations.status({}, never);
      expect(status.conditions).toMatchObject([
        { type: 'Ready', status: 'False', reason: 'release_expired' },
        { type: 'Stalled', status: 'True', reason: 'release_expired' },
      ]);
      expect(await machine.runs()).toBe('brief\n');
      expect(machine.pointer()).toBe(pointer);
    });
  }, 300_000);
});
