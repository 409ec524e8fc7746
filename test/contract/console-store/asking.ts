import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../../console/store/ports/audit.ts';
import type { ConsoleStore } from '../../../console/store/ports/console-store.ts';
import type { RunFilter } from '../../../console/store/ports/run-index.ts';
import type { RunStatus } from '../../../schemas/run.ts';
import { addTenant, madeAgent } from './made-agent.ts';

const AT = new Date('2026-11-20T12:00:00.000Z');
const later = (minutes: number) => new Date(AT.getTime() + minutes * 60_000);
const told: AuditEntry = {
  action: 'trigger_key_set',
  tenant: 'acme',
  agent_id: null,
  by: 'person:ada',
  message: 'a key',
};
const keyOf = (kid: string) => ({
  tenant: 'acme',
  kid,
  sealed: `1.${kid}`,
  added_at: AT.toISOString(),
  added_by: 'person:ada',
});

/** What the stores of trigger keys, of requests that may be repeated and of runs keep to (console/store/ports/). */
export function askingStoresContract(
  name: string,
  open: (options: { lookedAt: number }) => Promise<ConsoleStore>,
): void {
  describe(`${name} as the stores of what is asked of agents`, () => {
    let stores: ConsoleStore;
    beforeEach(async () => {
      stores = await open({ lookedAt: 5 });
      for (const slug of ['acme', 'globex']) await addTenant(stores, slug);
      for (const [id, tenant, hostname] of [
        ['a-1', 'acme', 'lathe'],
        ['g-1', 'globex', 'press'],
      ] as const)
        await stores.agents.save({ ...madeAgent(id, tenant), hostname }, `token of ${id}`);
    });
    const started = async (
      agentId: string,
      run: { run_id: string; flow: string; attempt?: number },
      at: Date,
    ) => stores.progress.started(agentId, { attempt: 1, version: 'v1', at: at.toISOString(), ...run }, at);
    const ended = async (
      agentId: string,
      run: { run_id: string; flow: string; status: RunStatus; attempt?: number; reason?: string | null },
      at: Date,
    ) => {
      const times = { started_at: AT.toISOString(), finished_at: at.toISOString() };
      return stores.progress.completed(
        agentId,
        { attempt: 1, version: 'v1', exit_code: 0, ...times, ...run },
        at,
      );
    };
    afterEach(async () => stores.close());
    const list = async (filter: Partial<RunFilter> = {}) =>
      stores.runs.list({ tenants: '*', limit: 100, ...filter });
    const ids = async (filter?: Partial<RunFilter>) => (await list(filter)).runs.map(({ run_id }) => run_id);

    test('a trigger key takes the place of the one before, and both are told of', async () => {
      await stores.triggerKeys.put(keyOf('first'), told);
      await stores.triggerKeys.put(keyOf('second'), told);
      expect(await stores.triggerKeys.get('acme')).toEqual(keyOf('second'));
      expect(await stores.triggerKeys.list()).toEqual([keyOf('second')]);
      expect(await stores.audit.list({ limit: 10 })).toHaveLength(2);
      expect(await stores.triggerKeys.get('globex')).toBeNull();
    });

    test('what is not there is not removed, nor told of', async () => {
      const removed = { ...told, action: 'trigger_key_removed' } as const;
      expect(await stores.triggerKeys.remove('acme', removed, AT)).toBe(false);
      await stores.triggerKeys.put(keyOf('first'), told);
      expect(await stores.triggerKeys.remove('acme', removed, AT)).toBe(true);
      expect((await stores.audit.list({ limit: 10 })).map(({ action }) => action)).toEqual([
        'trigger_key_removed',
        'trigger_key_set',
      ]);
    });

    test('the first of equal requests is the one that counts, for each caller, and its first answer', async () => {
      const request = { actor_id: 'ada', key: 'k', request_sha256: 'one', begun_at: AT.toISOString() };
      const begin = async (change: Partial<typeof request> = {}) =>
        stores.repeatable.begin({ ...request, ...change }, { answers: 9, requests: 9 });
      const [first, second] = await Promise.all([
        begin(),
        begin({ request_sha256: 'two', begun_at: later(1).toISOString() }),
      ]);
      const there = { kind: 'there', request: { ...request, answer: null } };
      expect([first, second]).toEqual([there, there]);
      await stores.repeatable.answered('ada', 'k', 'yes');
      await stores.repeatable.answered('ada', 'k', 'no');
      expect(await begin()).toMatchObject({ request: { answer: 'yes' } });
      expect(await begin({ actor_id: 'bob' })).toMatchObject({ request: { answer: null } });
      expect(await stores.repeatable.prune(later(1))).toBe(2);
    });

    test('a caller has so many answers, and so many requests in all, until the old ones go', async () => {
      const begin = async (actor_id: string, key: string, minutes = 0) => {
        const request = { actor_id, key, request_sha256: key, begun_at: later(minutes).toISOString() };
        return (await stores.repeatable.begin(request, { answers: 2, requests: 3 })).kind;
      };
      expect([await begin('ada', 'a'), await begin('ada', 'b', 1), await begin('ada', 'c', 2)]).toEqual([
        'there',
        'there',
        'there',
      ]);
      expect(await begin('ada', 'd', 3)).toBe('too_many');
      expect([await begin('ada', 'a'), await begin('bob', 'a')]).toEqual(['there', 'there']);
      await stores.repeatable.prune(later(1));
      expect(await begin('ada', 'd', 3)).toBe('there');
      await stores.repeatable.prune(later(2));
      for (const key of ['c', 'd']) await stores.repeatable.answered('ada', key, 'done');
      expect(await begin('ada', 'e', 4)).toBe('too_many');
      expect(
        await stores.repeatable.begin(
          { actor_id: 'ada', key: 'e', request_sha256: 'e', begun_at: later(4).toISOString() },
          { answers: 2, requests: 3 },
        ),
      ).toEqual({ kind: 'too_many', oldest: later(2).toISOString() });
    });

    test('a run is one line, and what comes late takes nothing back', async () => {
      await started('a-1', { run_id: 'r', flow: 'f' }, AT);
      await ended('a-1', { run_id: 'r', flow: 'f', status: 'failed', attempt: 2, reason: 'no' }, later(1));
      await started('a-1', { run_id: 'r', flow: 'f' }, later(2));
      await ended('a-1', { run_id: 'r', flow: 'f', status: 'succeeded', attempt: 1 }, later(3));
      const { runs } = await list();
      expect(runs).toMatchObject([
        { run_id: 'r', state: 'failed', attempt: 2, reason: 'no', tenant: 'acme' },
      ]);
      // an id is an agent's own
      await started('g-1', { run_id: 'r', flow: 'f' }, later(4));
      expect((await stores.runs.named('r', '*', 10)).map(({ agent_id }) => agent_id)).toEqual(['g-1', 'a-1']);
      expect((await stores.runs.named('r', ['acme'], 10)).map(({ agent_id }) => agent_id)).toEqual(['a-1']);
    });

    test('nothing is listed of an agent that is not there', async () => {
      await started('nobody', { run_id: 'r', flow: 'f' }, AT).catch(() => {});
      expect(await ids()).toEqual([]);
    });

    test('a search that stops says where it goes on, and finds all in the end', async () => {
      for (let index = 0; index < 12; index += 1) {
        const run = { run_id: `r-${index}`, flow: index % 6 === 0 ? 'rare' : 'common' };
        await ended('a-1', { ...run, status: index === 6 ? 'failed' : 'succeeded' }, later(index));
      }
      const found: string[] = [];
      const pages: number[] = [];
      for (let before: number | undefined; ; ) {
        const page = await list({ q: 'RARE lathe', ...(before === undefined ? {} : { before }) });
        found.push(...page.runs.map(({ run_id }) => run_id));
        pages.push(page.runs.length);
        if (page.next_before === null) break;
        before = page.next_before;
      }
      expect(found).toEqual(['r-6', 'r-0']);
      expect(pages.length).toBeGreaterThan(1);
      // what an index finds is found at once
      expect(await ids({ flow: 'rare' })).toEqual(['r-6', 'r-0']);
      expect(await ids({ flow: 'rare', states: ['failed'] })).toEqual(['r-6']);
      expect(await ids({ tenants: ['globex'] })).toEqual([]);
      expect(await ids({ tenants: [] })).toEqual([]);
    });

    test('the load is what is not over, and pruning keeps it', async () => {
      for (const [index, run_id] of ['r-1', 'r-2', 'r-3', 'r-4'].entries()) {
        await started('a-1', { run_id, flow: 'f' }, later(index));
      }
      for (const run_id of ['r-2', 'r-3', 'r-4']) {
        await ended('a-1', { run_id, flow: 'f', status: 'succeeded' }, later(9));
      }
      expect(await stores.runs.load(['a-1', 'g-1'])).toEqual(new Map([['a-1', 1]]));
      expect(await stores.runs.prune(1)).toBe(2);
      expect(await ids()).toEqual(['r-4', 'r-1']);
      expect(await ids({ states: ['asked', 'running'] })).toEqual(['r-1']);
    });

    test('of runs that never end as many are kept, the newest', async () => {
      for (const [index, run_id] of ['r-1', 'r-2', 'r-3', 'r-4', 'r-5'].entries()) {
        await started('a-1', { run_id, flow: 'f' }, later(index));
      }
      expect(await stores.runs.prune(2)).toBe(3);
      expect(await ids()).toEqual(['r-5', 'r-4']);
    });
  });
}
