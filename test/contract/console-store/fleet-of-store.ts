import type { ConsoleStore } from '../../../console/store/ports/console-store.ts';
import type { FleetUnderTest } from './fleet.ts';
import { addTenant, madeAgent, toldOf } from './made-agent.ts';

/** The fleet of a store, furnished through its port as enrolment, the intake of statuses and a revocation do it. */
export function fleetOf(
  store: () => ConsoleStore,
  own: Pick<FleetUnderTest, 'reopen' | 'forget' | 'outdate' | 'close'>,
): FleetUnderTest {
  return {
    ...own,
    get agents() {
      return store().fleet;
    },
    get changes() {
      return store().changes;
    },
    get releases() {
      return store().releases;
    },
    get notes() {
      return store().fleetNotes;
    },
    async enrol({ agent_id: id, tenant, hostname, at }) {
      if ((await store().tenants.get(tenant)) === null) await addTenant(store(), tenant);
      const agent = { ...madeAgent(id, tenant), hostname, arch: 'x64', enrolled_at: at.toISOString() };
      await store().agents.save({ ...agent, agent_version: '0.1.0' }, `token of ${id}`);
    },
    async report(id, status, at) {
      await store().agents.seen(id, at);
      await store().reports.setStatus(id, status, JSON.stringify(status), at);
    },
    async revoke(id, at) {
      await store().agents.revoke(id, at, { by: 'operator', why: null }, () =>
        toldOf('revoked', 'agent_revoked'),
      );
    },
  };
}
