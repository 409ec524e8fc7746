import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { numbersOf } from '../../../console/fleet/numbers.ts';
import type { FlowStatus } from '../../../schemas/status.ts';
import { type FleetUnderTest, flow, NOW, source, status } from './fleet.ts';

const SINCE = '2026-11-21T11:30:00Z';
const later = (ms: number) => new Date(NOW.getTime() + ms);

/** Rolled back by hand from v2, which the branch asks for. */
function rolledBack(id: string, change: Partial<FlowStatus> = {}): FlowStatus {
  const held = { by: 'person:ann', why: 'trying it' };
  return { ...flow(id, 'v1'), desired_version: 'v2', previous_version: 'v2', since: SINCE, held, ...change };
}

/** What every store of the fleet's read side knows of flows that somebody rolled back by hand. */
export function heldFlowsContract(name: string, open: () => Promise<FleetUnderTest>): void {
  describe(`flows held back, in ${name}`, () => {
    let fleet: FleetUnderTest;
    beforeEach(async () => {
      fleet = await open();
      for (const id of ['a1', 'a2', 'a3']) {
        await fleet.enrol({ agent_id: id, tenant: 'acme', hostname: `PC-${id}`, at: NOW });
        await fleet.report(id, status({ flows: [flow('bot', 'v2'), flow('crm', 'v1')] }), NOW);
      }
    });
    afterEach(async () => fleet.close());

    const found = async (filter: object) => {
      const page = { sort: 'hostname' as const, limit: 100, offset: 0 };
      const { agents } = await fleet.agents.list({ scope: '*', filter, now: NOW }, page);
      return agents.map(({ agent_id }) => agent_id);
    };
    const held = async () => numbersOf(await fleet.agents.standings('*', NOW)).held;
    const hold = async (id: string, flows = [rolledBack('bot'), flow('crm', 'v1')]) =>
      fleet.report(id, status({ flows }), later(1_000));

    it('are in the row of the agent with who, why and since when, and are counted', async () => {
      expect(await held()).toBe(0);
      await hold('a2');
      expect(await fleet.agents.agent('a2', NOW)).toMatchObject({
        state: 'ready',
        held: [
          { flow: 'bot', version: 'v1', desired: 'v2', by: 'person:ann', why: 'trying it', since: SINCE },
        ],
      });
      expect(await fleet.agents.agent('a1', NOW)).toMatchObject({ held: [] });
      expect(await held()).toBe(1);
      expect(await fleet.agents.heldFlows('*', 3)).toEqual({ names: ['bot'], total: 1 });
      expect(await fleet.agents.heldFlows(['globex'], 3)).toEqual({ names: [], total: 0 });
      expect((await fleet.agents.flow('acme', 'bot', NOW))?.versions).toEqual([
        { version: 'v2', active: 2, desired: 3, held: 0 },
        { version: 'v1', active: 1, desired: 0, held: 1 },
      ]);
    });

    it('are found, of any flow or of the one that is asked for', async () => {
      await fleet.enrol({ agent_id: 'a4', tenant: 'acme', hostname: 'PC-a4', at: NOW });
      await hold('a2');
      await hold('a3', [flow('bot', 'v2'), rolledBack('crm', { active_version: 'v0' })]);
      expect(await found({ held: 'yes' })).toEqual(['a2', 'a3']);
      expect(await found({ held: 'no' })).toEqual(['a1', 'a4']);
      expect(await found({ held: 'yes', flow: 'bot' })).toEqual(['a2']);
      expect(await found({ held: 'no', flow: 'bot' })).toEqual(['a1', 'a3']);
      expect(await found({ held: 'yes', version: 'v0' })).toEqual(['a3']);
      expect(await found({ held: 'yes', revision: source('a').desired_revision })).toEqual(['a2', 'a3']);
      expect((await fleet.agents.heldFlows('*', 1)).total).toBe(2);
    });

    it('are none once the branch asks for the same, the hold ends or the agent is revoked', async () => {
      await hold('a1');
      await hold('a2');
      await hold('a3');
      await fleet.report(
        'a1',
        status({ flows: [rolledBack('bot', { desired_version: 'v1' })] }),
        later(2_000),
      );
      await fleet.report('a2', status({ flows: [flow('bot', 'v2')] }), later(2_000));
      await fleet.revoke('a3', later(2_000));
      expect(await found({ held: 'yes' })).toEqual([]);
      expect(await held()).toBe(0);
      expect(await fleet.agents.agent('a3', NOW)).toMatchObject({ state: 'revoked', held: [] });
    });

    it('begin and end in the history, with who and why; what an agent gave up itself with what was wrong', async () => {
      const history = async () =>
        (await fleet.changes.list('a1', { limit: 100 })).map(
          ({ kind, from, to, flow: of, reason, message }) =>
            [kind, of, from, to, reason, message].filter((part) => part !== null).join(' '),
        );
      await hold('a1');
      await hold('a1');
      expect(await history()).toContain('held bot v2 v1 person:ann trying it');
      expect((await history()).filter((line) => line.startsWith('held'))).toHaveLength(1);
      const quarantined = { sha256: 'c'.repeat(64), reason: 'v3 failed its health check: exit code 1' };
      await fleet.report('a1', status({ flows: [flow('bot', 'v2')] }), later(2_000));
      await fleet.report('a1', status({ flows: [{ ...flow('bot', 'v1'), quarantined }] }), later(3_000));
      expect((await history()).slice(0, 4)).toEqual([
        'version bot v2 v1 quarantined v3 failed its health check: exit code 1',
        'version crm v1',
        'version bot v1 v2',
        'released bot v1',
      ]);
      const groups = await fleet.changes.groups('*', later(-60_000), 50);
      expect(groups.find(({ kind }) => kind === 'held')).toMatchObject({ reason: 'person:ann', count: 1 });
    });

    it('are known of statuses that an older console has stored', async () => {
      await hold('a2');
      await fleet.forget();
      expect(await held()).toBe(0);
      await fleet.reopen();
      expect(await held()).toBe(1);
      expect(await found({ held: 'yes' })).toEqual(['a2']);
    });
  });
}
