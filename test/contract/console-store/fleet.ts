import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UNREACHABLE_AFTER_MS } from '../../../console/fleet/agent-state.ts';
import { numbersOf } from '../../../console/fleet/numbers.ts';
import type { ChangeStore, FleetNotes, FleetStore } from '../../../console/store/ports/fleet.ts';
import type { ReleaseStore } from '../../../console/store/ports/releases.ts';
import type { FlowStatus, Status } from '../../../schemas/status.ts';

export interface FleetUnderTest {
  readonly agents: FleetStore;
  readonly changes: ChangeStore;
  readonly releases: ReleaseStore;
  readonly notes: FleetNotes;
  /** As enrolment does, with a tenant where there is none. */
  enrol(agent: { agent_id: string; tenant: string; hostname: string; at: Date }): Promise<void>;
  /** As the intake does: the status and what follows from it, in one step. */
  report(agentId: string, status: Status, at: Date): Promise<void>;
  revoke(agentId: string, at: Date): Promise<void>;
  /** As a console does when it starts on what is there. */
  reopen(): Promise<void>;
  /** As a console of before this was kept has left it: the statuses alone. */
  forget(): Promise<void>;
  /** As a console has left it that summed statuses up in another way. */
  outdate(): Promise<void>;
  close(): Promise<void>;
}

export const NOW = new Date('2026-11-21T12:00:00.000Z');
const later = (ms: number) => new Date(NOW.getTime() + ms);
const AT = '2026-11-21T11:00:00Z';

export function status(change: Partial<Status> = {}): Status {
  return {
    agent_id: null,
    tenant: 'acme',
    agent_version: '0.1.0',
    os: 'linux',
    arch: 'x86_64',
    labels: {},
    generated_at: AT,
    trust: { mode: 'required', root_version: 1, seq: 1, release_expires: null },
    suspended: null,
    config: { digest: 'c', error: null },
    source: source('a'),
    tunnel: { state: 'none', since: null },
    flows: [],
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'RevisionApplied',
        message: 'applied',
        observed_revision: null,
        changed_at: AT,
      },
    ],
    runs: { running: 1, queued: 2, last: null },
    outbox: { pending: 0, oldest_at: null, parked: 0 },
    disk: { used: 0, free: 0 },
    clock_offset_ms: null,
    isolation: 'process',
    ...change,
  };
}

export function source(digit: string, time = AT): Status['source'] {
  const revision = `tenant/acme@sha1:${digit.repeat(40)}`;
  return {
    kind: 'git',
    desired_revision: revision,
    last_attempted_revision: revision,
    last_applied_revision: revision,
    last_sync_at: AT,
    next_attempt_at: null,
    commit: { subject: `Release ${digit}`, author: 'Ann', time },
  };
}

export function flow(id: string, version: string): FlowStatus {
  return {
    id,
    runtime: 'python',
    desired_version: version,
    active_version: version,
    previous_version: null,
    health: 'healthy',
    phase: 'active',
    since: AT,
    held: null,
    quarantined: null,
    service: null,
  };
}

/** What every store of the fleet's read side does. */
export function fleetContract(name: string, open: () => Promise<FleetUnderTest>): void {
  describe(`the fleet in ${name}`, () => {
    let fleet: FleetUnderTest;
    beforeEach(async () => {
      fleet = await open();
      for (const id of ['a1', 'a2'])
        await fleet.enrol({ agent_id: id, tenant: 'acme', hostname: `PC-${id}`, at: NOW });
      await fleet.enrol({ agent_id: 'g1', tenant: 'globex', hostname: 'other', at: NOW });
    });
    afterEach(async () => fleet.close());

    const page = { sort: 'state' as const, limit: 100, offset: 0 };
    const list = async (filter = {}, scope: '*' | string[] = '*', now = NOW) =>
      fleet.agents.list({ scope, filter, now }, page);
    const kinds = async (agentId: string) =>
      (await fleet.changes.list(agentId, { limit: 100 })).map(({ kind, to }) => `${kind} ${to}`);
    const settleAll = async (now: Date) => {
      const ids: string[] = [];
      for (;;) {
        const found = await fleet.notes.settle(now);
        if (found.length === 0) return ids.toSorted();
        ids.push(...found.map(({ agent_id }) => agent_id));
      }
    };

    it('lists who has never reported, and nobody of another tenant', async () => {
      expect((await list({}, ['acme'])).states).toEqual({ waiting: 2 });
      expect((await list({ tenant: 'globex' }, ['acme'])).total).toBe(0);
      expect((await list({}, [])).total).toBe(0);
      expect((await list({ q: 'pc-a2' })).agents.map(({ agent_id }) => agent_id)).toEqual(['a2']);
    });

    it('sorts, filters and pages, and counts all that match', async () => {
      await fleet.enrol({ agent_id: 'a0', tenant: 'acme', hostname: 'Lathe', at: later(-60_000) });
      await fleet.report('a2', status(), NOW);
      const ids = async (
        change: Partial<Parameters<FleetStore['list']>[1]>,
        filter = {},
        scope = ['acme'],
      ) => {
        const found = await fleet.agents.list({ scope, filter, now: NOW }, { ...page, ...change });
        return `${found.agents.map(({ agent_id }) => agent_id).join(' ')} of ${found.total}`;
      };
      expect(await ids({ sort: 'hostname' })).toBe('a0 a1 a2 of 3');
      expect(await ids({ sort: 'hostname', order: 'desc', limit: 2 })).toBe('a2 a1 of 3');
      expect(await ids({ sort: 'hostname', limit: 2, offset: 2 })).toBe('a2 of 3');
      expect(await ids({ sort: 'enrolled_at', order: 'asc', limit: 1 })).toBe('a0 of 3');
      expect(await ids({}, { q: 'LATHE' })).toBe('a0 of 1');
      expect(await ids({}, { state: ['ready'] })).toBe('a2 of 1');
      expect(await ids({}, { tenant: 'globex' })).toBe(' of 0');
      expect((await list()).states).toEqual({ waiting: 3, ready: 1 });
    });

    it('has what a status says as soon as it is stored', async () => {
      await fleet.report('a1', status({ flows: [flow('bot', 'v1'), flow('crm', 'v2')] }), NOW);
      expect(await fleet.agents.agent('a1', NOW)).toMatchObject({
        state: 'ready',
        flows: 2,
        runs: { running: 1, queued: 2 },
        applied_revision: source('a').last_applied_revision,
      });
      expect(numbersOf(await fleet.agents.standings('*', NOW))).toMatchObject({ running: 1, queued: 2 });
      const { flows } = await fleet.agents.flows('*', { sort: 'flow', limit: 10, offset: 0 }, NOW);
      expect(flows.map((row) => row.flow)).toEqual(['bot', 'crm']);
      await fleet.report('a1', status({ flows: [flow('bot', 'v1')] }), later(1));
      expect(await fleet.agents.flow('acme', 'crm', NOW)).toBe(null);
    });

    it('makes it all again from the statuses of before', async () => {
      await fleet.report('a1', status({ flows: [flow('bot', 'v1')] }), NOW);
      const before = await fleet.agents.agent('a1', NOW);
      await fleet.forget();
      expect(await fleet.agents.agent('a1', NOW)).toMatchObject({ state: 'waiting' });
      await fleet.reopen();
      const { state_since: _since, ...after } = (await fleet.agents.agent('a1', NOW)) ?? {};
      expect(before).toMatchObject(after);
      expect((await fleet.agents.flow('acme', 'bot', NOW))?.agents).toBe(1);
      expect((await fleet.releases.newest('*')).map(({ commit }) => commit?.subject)).toEqual(['Release a']);
    });

    it('finds nobody silent a second time because it is made again', async () => {
      await fleet.report('a1', status(), NOW);
      const silent = later(UNREACHABLE_AFTER_MS + 60_000);
      expect(await settleAll(silent)).toContain('a1');
      const noted = await kinds('a1');
      await fleet.outdate();
      await fleet.reopen();
      expect(await settleAll(later(UNREACHABLE_AFTER_MS + 120_000))).not.toContain('a1');
      expect(await kinds('a1')).toEqual(noted);
      expect(await fleet.agents.agent('a1', silent)).toMatchObject({ state: 'unreachable' });
    });

    it('notes silence, and that it is over, once each', async () => {
      await fleet.report('a1', status(), NOW);
      expect(await settleAll(NOW)).toEqual(['a2', 'g1']);
      expect(await settleAll(later(UNREACHABLE_AFTER_MS))).toEqual([]);
      const silent = later(UNREACHABLE_AFTER_MS + 60_000);
      expect(await settleAll(silent)).toEqual(['a1']);
      expect(await settleAll(silent)).toEqual([]);
      expect(await fleet.agents.agent('a1', silent)).toMatchObject({
        state: 'unreachable',
        state_since: later(UNREACHABLE_AFTER_MS).toISOString(),
      });
      await fleet.report('a1', status(), silent);
      expect((await kinds('a1')).slice(0, 2)).toEqual(['state ready', 'state unreachable']);
    });

    it('notes who is connected, and forgets it when a server starts', async () => {
      await fleet.notes.presence('a1', NOW);
      await fleet.notes.presence('nobody', NOW);
      expect((await list({ tunnel: 'connected' })).agents).toMatchObject([
        { agent_id: 'a1', tunnel: { connected: true, since: NOW.toISOString() } },
      ]);
      expect(numbersOf(await fleet.agents.standings(['acme'], NOW)).connected).toBe(1);
      await fleet.notes.nobodyConnected();
      await fleet.notes.presence('a1', null);
      expect((await list({ tunnel: 'disconnected' })).total).toBe(3);
      expect(await kinds('a1')).toEqual(['connected null', 'enrolled null']);
    });

    it('drops what a revoked agent had, and keeps that it was', async () => {
      await fleet.report('a1', status({ flows: [flow('bot', 'v1')] }), NOW);
      await fleet.revoke('a1', later(1));
      expect(await settleAll(later(2))).toContain('a1');
      await fleet.report('a1', status({ flows: [flow('bot', 'v1')] }), later(3));
      expect(await fleet.agents.agent('a1', NOW)).toMatchObject({ state: 'revoked', problem: null });
      expect(await fleet.agents.flow('acme', 'bot', NOW)).toBe(null);
      expect((await kinds('a1'))[0]).toBe('revoked revoked');
    });

    it('puts like changes together, and keeps so many of an agent', async () => {
      for (const id of ['a1', 'a2']) await fleet.report(id, status({ flows: [flow('bot', 'v1')] }), NOW);
      const groups = await fleet.changes.groups(['acme'], later(-60_000), 50);
      expect(groups.find(({ kind }) => kind === 'version')).toMatchObject({
        flow: 'bot',
        from: null,
        to: 'v1',
        count: 2,
        agents_count: 2,
        agents: [{ agent_id: 'a1' }, { agent_id: 'a2' }],
      });
      for (const since of [NOW, null, later(1), null]) await fleet.notes.presence('a1', since);
      const came = (await fleet.changes.groups(['acme'], later(-60_000), 50)).filter(
        ({ kind }) => kind === 'connected',
      );
      expect(came).toMatchObject([{ count: 2, agents_count: 1, agents: [{ agent_id: 'a1' }] }]);
      // of more than are kept with their agents it is not known, and not guessed
      for (let times = 0; times < 50; times += 1) {
        await fleet.notes.presence('a2', NOW);
        await fleet.notes.presence('a2', null);
      }
      const many = (await fleet.changes.groups(['acme'], later(-60_000), 50)).find(
        ({ kind }) => kind === 'connected',
      );
      expect([many?.count, many?.agents_count]).toEqual([52, undefined]);
      expect(await fleet.changes.groups(['globex'], later(-60_000), 50)).toEqual([]);
      expect(await fleet.changes.groups('*', later(60 * 60_000), 50)).toEqual([]);
      await fleet.changes.prune(1, NOW);
      expect(await kinds('a1')).toHaveLength(1);
      expect(await kinds('a2')).toHaveLength(1);
    });

    it('knows the newest release, whatever an agent tells of late', async () => {
      const revisions = async () =>
        (await fleet.releases.list('*', { limit: 10, offset: 0 })).releases.map(
          ({ commit }) => commit?.subject,
        );
      await fleet.report('a1', status({ source: source('b', '2026-11-21T10:00:00Z') }), NOW);
      await fleet.report('a2', status({ source: source('a', '2026-11-01T10:00:00Z') }), later(1_000));
      expect(await revisions()).toEqual(['Release b', 'Release a']);
      const note = { tenant: 'acme', revision: source('a').desired_revision as string, commit: null, seq: 9 };
      expect(await fleet.releases.pushed({ ...note, flows: [] }, later(2_000))).toBe(true);
      expect(await fleet.releases.pushed({ ...note, flows: null }, later(3_000))).toBe(false);
      expect(await revisions()).toEqual(['Release a', 'Release b']);
      expect(await fleet.releases.get('acme', 'a'.repeat(7))).toMatchObject({ newest: true, flows: [] });
      expect(await fleet.releases.get('globex', 'a'.repeat(7))).toBe(null);
      expect(await fleet.releases.prune(0)).toBe(0);
    });
  });
}
