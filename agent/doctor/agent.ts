import type { Status } from '../../schemas/status.ts';
import { AGENT_VERSION, cpuArch, osName } from '../version.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { ENVIRONMENT, environmentFinding } from './environment.ts';
import type { Patient } from './patient.ts';
import { ENROL_ANEW } from './standing.ts';

const OLDEST_NODE = 26;
const HOUR_MS = 3_600_000;

/** What this program is and runs on; needs no agent.yaml. */
export function programChecks(): Check[] {
  const base = { group: 'agent', code: 4 } as const;
  return [
    { ...base, name: 'agent.version', expected: 'a version', run: async () => versionFinding() },
    { ...base, name: 'agent.permission_model', expected: PERMISSION, run: async () => permissionFinding() },
    { ...base, name: 'agent.signals', expected: SIGNALS, run: async () => signalsFinding() },
    { ...base, name: 'agent.environment', expected: ENVIRONMENT, run: () => environmentFinding() },
  ];
}

/** What the agent says of itself, or what it left on disk. */
export function agentChecks(patient: Patient): Check[] {
  const base = { group: 'agent', code: 4 } as const;
  return [
    { ...base, name: 'agent.running', expected: RUNNING, run: async () => runningFinding(patient) },
    { ...base, name: 'agent.reconcile', expected: READY, run: async () => reconcileFindings(patient) },
    { ...base, name: 'agent.reports', expected: REPORTS, run: async () => reportsFinding(patient) },
  ];
}

const PERMISSION = 'children that open what is foreign run under Node’s permission model';
const SIGNALS = 'a flow can be asked to end before it is ended';
const RUNNING = 'an agent that keeps this machine so';
const READY = 'Ready';
const REPORTS = 'reports reach the console';

function versionFinding(): Finding {
  const found = `edge-agent ${AGENT_VERSION}, Node ${process.version}, ${osName()} ${cpuArch() ?? process.arch}`;
  const expected = `Node ${OLDEST_NODE} or newer`;
  const major = Number.parseInt(process.versions.node, 10);
  return major >= OLDEST_NODE
    ? ok('agent.version', found, expected)
    : fail('agent.version', found, expected, 'install it, or put it first on PATH');
}

function permissionFinding(): Finding {
  const name = 'agent.permission_model';
  return process.allowedNodeEnvironmentFlags.has('--permission')
    ? ok(name, 'this Node has a permission model', PERMISSION)
    : fail(name, 'this Node has none', PERMISSION, `install Node ${OLDEST_NODE}`);
}

function signalsFinding(): Finding {
  const name = 'agent.signals';
  return process.platform === 'win32'
    ? warn(name, 'Windows has no signals: a flow is ended at once', SIGNALS, null)
    : ok(name, 'a flow is asked to end first (SIGTERM)', SIGNALS);
}

function runningFinding({ peer }: Patient): Finding {
  const name = 'agent.running';
  if (peer?.verb === 'run') return ok(name, `process ${peer.pid}`, RUNNING);
  if (peer !== null) return warn(name, `only edge-agent ${peer.verb}, process ${peer.pid}`, RUNNING, START);
  return warn(name, 'no agent runs', RUNNING, START);
}

const START = 'start it: edge-agent run, or its service';

function reconcileFindings({ status, statusFault, obstacles, other }: Patient): Finding[] {
  const name = 'agent.reconcile';
  // said of the state
  if (other !== null) return [];
  if (status === null) return [fail(name, statusFault ?? 'no status', READY, null)];
  const last = status.source.last_sync_at;
  const at = last === null ? 'never looked at the branch' : `last looked at the branch ${last}`;
  const flows = (obstacles?.flows ?? []).map(({ flow, message }) =>
    warn(`agent.flow.${flow}`, message, 'nothing in the way of the flow', 'edge-agent retry tries it again'),
  );
  return [readyFinding(name, withoutIdentity(status), at), ...identityFindings(status), ...flows];
}

/** What the console says of the identity, with a daemon that has heard it: no tick goes before it. */
function identityFindings({ identity }: Status): Finding[] {
  const name = 'agent.identity';
  const expected = 'one machine with the identity of this agent, which the console takes';
  if (identity?.message == null) return [];
  const advice = 'on the one that is a copy: edge-agent unenroll --local';
  return [fail(name, identity.message, expected, identity.state === 'conflict' ? advice : ENROL_ANEW)];
}

function withoutIdentity(status: Status): Status {
  const end = `; ${status.identity?.message ?? ''}`;
  const conditions = status.conditions.map((each) =>
    end !== '; ' && each.message.endsWith(end)
      ? { ...each, message: each.message.slice(0, -end.length) }
      : each,
  );
  return { ...status, conditions };
}

function readyFinding(name: string, { conditions, suspended }: Status, at: string): Finding {
  const of = (type: string) => conditions.find((condition) => condition.type === type);
  const stalled = of('Stalled');
  if (stalled !== undefined) return fail(name, `Stalled: ${stalled.message}; ${at}`, READY, null);
  if (suspended !== null)
    return warn(name, `suspended by ${suspended.by}: ${suspended.why}`, READY, 'edge-agent resume');
  const ready = of('Ready');
  if (ready?.status === 'True') return ok(name, `${ready.message}; ${at}`, READY);
  const why = of('Reconciling') ?? ready;
  return warn(name, `${why?.message ?? 'nothing is known yet'}; ${at}`, READY, null);
}

function reportsFinding({ status, loaded }: Patient): Finding[] {
  const name = 'agent.reports';
  if (status === null) return [];
  const { pending, parked, oldest_at: oldest } = status.outbox;
  const found = `${pending} waiting${oldest === null ? '' : ` since ${oldest}`}, ${parked} parked`;
  if (parked > 0)
    return [warn(name, found, REPORTS, 'edge-agent status says why; edge-agent retry sends them again')];
  const old = oldest !== null && Date.parse(status.generated_at) - Date.parse(oldest) > HOUR_MS;
  if (old && loaded.config.saas_url !== undefined)
    return [
      warn(name, found, REPORTS, 'see the network checks; they are kept and sent as soon as it answers'),
    ];
  return [ok(name, found, REPORTS)];
}
