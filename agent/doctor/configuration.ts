import { groupWritable } from '../../sources/config-access.ts';
import { checkMachine } from '../machine-checks.ts';
import { type Check, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';

/** agent.yaml, and whether this machine has what it asks for. */
export function configurationChecks(patient: Patient): Check[] {
  return [fileCheck(patient), enrolmentCheck(patient), machineCheck(patient), inForceCheck(patient)];
}

function fileCheck({ loaded, paths }: Patient): Check {
  const expected = 'an agent.yaml without unknown keys';
  const name = 'configuration.file';
  return {
    group: 'configuration',
    name,
    code: 2,
    expected,
    async run() {
      const shared = groupWritable(loaded.places);
      // whoever can write it, the members of that group, is the agent
      if (shared !== null) return warn(name, shared.found, 'one that no group may write', shared.expected);
      return ok(name, `${paths.config} (SHA-256 ${loaded.digest.slice(0, 12)})`, expected);
    },
  };
}

function enrolmentCheck({ loaded: { config } }: Patient): Check {
  const name = 'configuration.enrolment';
  const expected = 'a tenant, and with a saas_url the agent_id that enrolment gave';
  return {
    group: 'configuration',
    name,
    code: 4,
    expected,
    run: async () => {
      const { tenant, agent_id: agentId, saas_url: saasUrl } = config;
      if (saasUrl === undefined)
        return warn(
          name,
          `tenant ${tenant}, no saas_url: reports are kept here`,
          expected,
          'run edge-agent enroll to report to a console',
        );
      if (agentId === undefined)
        return fail(name, `tenant ${tenant}, no agent_id`, expected, 'run edge-agent enroll');
      return ok(name, `tenant ${tenant}, agent ${agentId}, console ${new URL(saasUrl).origin}`, expected);
    },
  };
}

function machineCheck({ loaded: { config }, paths }: Patient): Check {
  const name = 'configuration.machine';
  const expected = 'the files that agent.yaml names';
  return {
    group: 'configuration',
    name,
    code: 2,
    expected,
    async run() {
      const { problems } = await checkMachine(config, paths);
      if (problems.length === 0) return ok(name, 'every file it names is there', expected);
      return problems.map((problem) => fail(name, problem, expected, 'correct agent.yaml, or enrol again'));
    },
  };
}

/** A running agent keeps the last good configuration when the file is wrong. */
function inForceCheck({ loaded, peer, status }: Patient): Check {
  const name = 'configuration.in_force';
  const expected = 'the agent that runs works by this file';
  return {
    group: 'configuration',
    name,
    code: 2,
    expected,
    async run() {
      if (peer === null || status === null) return [];
      if (status.config.error !== null)
        return fail(
          name,
          `the agent works with an older one: ${status.config.error}`,
          expected,
          'correct agent.yaml',
        );
      if (status.config.digest === loaded.digest)
        return ok(name, 'the agent that runs works by it', expected);
      const found = `the agent works by another one (SHA-256 ${status.config.digest.slice(0, 12)})`;
      return warn(name, found, expected, 'wait some seconds; else start the agent anew');
    },
  };
}
