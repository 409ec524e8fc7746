import { beforeEach, describe, expect, it } from 'vitest';
import type { EventHistory, ReceivedBatch } from '../../../console/event-history.ts';
import type { ReplayGuard } from '../../../console/replay-guard.ts';
import type { ReportStore } from '../../../console/reports.ts';
import type { AgentDescription, AgentStore } from '../../../console/store/ports/agents.ts';
import type { AuditStore } from '../../../console/store/ports/audit.ts';
import type { RunProgressStore } from '../../../console/store/ports/run-progress.ts';
import { runReport } from '../../console/running-console.ts';

/** The stores of what agents send, over an empty database with the tenant `acme`. */
export interface OpenStores {
  readonly agents: AgentStore;
  readonly audit: AuditStore;
  readonly events: EventHistory;
  readonly progress: RunProgressStore;
  readonly replays: ReplayGuard;
  readonly reports: ReportStore;
}

const AT = new Date('2026-11-20T15:00:00Z');
const agent = (id: string): AgentDescription => ({
  agent_id: id,
  tenant: 'acme',
  thumbprint: `key of ${id}`,
  device_jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x' },
  hostname: 'pc',
  os: 'linux',
  arch: 'x64',
  agent_version: '1',
  enrolled_at: AT.toISOString(),
});

/** What every implementation of the console's store port has to do (docs/decisions/0088). `open` gives two writers of one database. */
export function consoleStoreContract(name: string, open: () => Promise<[OpenStores, OpenStores]>): void {
  describe(`${name}, by the contract`, () => {
    let one: OpenStores;
    let two: OpenStores;
    beforeEach(async () => {
      [one, two] = await open();
      await one.agents.save(agent('a1'), 'token of a1');
      await one.agents.save(agent('a2'), 'token of a2');
    });
    const add = async (stores: OpenStores, report: ReturnType<typeof runReport>, of = 'a1') =>
      stores.reports.addRun(of, `${report.run_id}.${report.attempt}`, report, report, AT);

    it('stores a report once, however many bring it at one time, and knows another body', async () => {
      const report = runReport();
      const outcomes = await Promise.all([add(one, report), add(two, report), add(one, report)]);
      expect(outcomes.toSorted()).toEqual(['replayed', 'replayed', 'stored']);
      expect(await add(two, { ...report, exit_code: 3 })).toBe('conflict');
      expect(await two.reports.run(report.run_id, {})).toEqual({ kind: 'report', body: report });
      // how the run went is written with it
      expect(await two.progress.get('a1', report.run_id)).toMatchObject([{ state: 'succeeded' }]);
    });

    it('lists reports newest first, page by page, of those tenants and agents that are asked for', async () => {
      const reports = Array.from({ length: 5 }, () => runReport());
      for (const report of reports) await add(one, report);
      await add(one, runReport(), 'a2');
      const first = await one.reports.runs({ agent: 'a1', limit: 2 });
      const rest = await one.reports.runs({ agent: 'a1', before: first.at(-1)?.id, limit: 10 });
      const ids = [...first, ...rest].map(({ run_id }) => run_id);
      expect(ids).toEqual(reports.map(({ run_id }) => run_id).toReversed());
      expect(await one.reports.runs({ tenants: ['globex'], limit: 10 })).toEqual([]);
    });

    it('keeps the newest reports of every agent', async () => {
      for (let n = 0; n < 4; n += 1) await add(one, runReport());
      await add(one, runReport(), 'a2');
      expect(await one.reports.prune(2, 1_000_000)).toBe(2);
      expect((await one.reports.runs({ limit: 10 })).map(({ agent_id }) => agent_id).toSorted()).toEqual([
        'a1',
        'a1',
        'a2',
      ]);
    });

    it('takes the id of a call once, and for whoever comes after it was kept', async () => {
      const taken = await Promise.all(
        [1, 2, 3].map(async () => one.replays.takeOnce('a1', 'j', 4_000_000_000)),
      );
      expect(taken.map(({ isNew }) => isNew)).toEqual([true, false, false]);
      await Promise.all(taken.map(async ({ kept }) => kept));
      expect((await two.replays.takeOnce('a1', 'j', 4_000_000_000)).isNew).toBe(false);
      expect((await two.replays.takeOnce('a2', 'j', 4_000_000_000)).isNew).toBe(true);
    });

    it('revokes an agent once, and tells of it once', async () => {
      const revoke = async (stores: OpenStores, by: string) =>
        stores.agents.revoke('a1', AT, { by, why: null }, ({ tenant, dropped }) => ({
          action: 'agent_revoked',
          tenant,
          agent_id: 'a1',
          by,
          message: `${dropped} dropped`,
        }));
      const outcomes = await Promise.all([revoke(one, 'ann'), revoke(two, 'bob')]);
      expect(outcomes.toSorted()).toEqual(['already', 'revoked']);
      const told = await one.audit.list({ agent: 'a1', limit: 10 });
      expect(told).toMatchObject([{ message: '0 dropped', tenant: 'acme' }]);
      expect((await two.agents.get('a1'))?.revoked_by).toBe(told[0]?.by);
      expect(await two.agents.revokedIds()).toEqual(['a1']);
    });

    it('takes the events of an agent in order and without a gap, all of a batch or nothing', async () => {
      const prev = '0'.repeat(64);
      const event = (seq: number, before: string) => ({
        log_id: 'log',
        seq,
        time: AT.toISOString(),
        tenant: 'acme',
        agent_id: 'a1',
        severity: 'info' as const,
        reason: 'AgentStarted',
        message: `event ${seq}`,
        prev: before,
      });
      const append = async (...events: ReturnType<typeof event>[]) => {
        const batch = { log_id: 'log', events } as ReceivedBatch;
        return one.events.append(
          'a1',
          batch,
          events.map((each) => JSON.stringify(each)),
          AT,
        );
      };
      expect(await append(event(3, prev))).toEqual({ kind: 'gap', nextSeq: 1 });
      expect(await append(event(1, prev), event(2, 'f'.repeat(64)))).toMatchObject({ code: 'chain_broken' });
      expect(await two.events.tail({ limit: 10 })).toEqual([]);
      expect(await append(event(1, prev))).toEqual({ kind: 'taken', nextSeq: 2, added: 1 });
      expect(await append(event(1, prev))).toEqual({ kind: 'taken', nextSeq: 2, added: 0 });
      expect(await two.events.tail({ limit: 10 })).toMatchObject([{ event: { seq: 1 } }]);
    });
  });
}
