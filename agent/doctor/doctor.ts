import type { Clock } from '../../reconciler/ports.ts';
import type { DoctorReport } from '../../schemas/doctor.ts';
import { loadConfigFile } from '../../sources/config-file.ts';
import { scrubText } from '../../system/redaction.ts';
import { type ControlPeer, controlPeer, createControlClient } from '../control-client.ts';
import { effectiveSettings } from '../effective-settings.ts';
import { type LoadedConfig, stateOfWrongConfig } from '../load-config.ts';
import { openObserver } from '../observer.ts';
import { agentPaths, socketPath } from '../paths.ts';
import { notOurs, otherOwner, stateClaim } from '../state-owner.ts';
import { AGENT_VERSION } from '../version.ts';
import { agentChecks, programChecks } from './agent.ts';
import { createCallers } from './callers.ts';
import { type CheckedFinding, fail, runChecks, warn } from './check.ts';
import { clockFindings } from './clock.ts';
import { configurationChecks } from './configuration.ts';
import { patientNetwork } from './connection.ts';
import { credentialChecks } from './credentials.ts';
import { flowChecks } from './flows.ts';
import { networkChecks } from './network.ts';
import type { Patient } from './patient.ts';
import { stateChecks } from './state.ts';
import { trustChecks } from './trust.ts';

const STATUS_MS = 10_000;

/**
 * Looks at everything an agent needs, all at once, each within its own deadline. Changes nothing on this machine but for a folder of
 * its own beside the state, which it removes; tells no secret. With a wrong agent.yaml it looks at what needs none.
 */
export async function examine(configFile: string, clock: Clock, signal: AbortSignal): Promise<DoctorReport> {
  const loaded = await loadConfigFile(configFile);
  if (loaded.kind !== 'valid') {
    const peer = await daemonOfWrongConfig(configFile, signal);
    const text = loaded.kind === 'missing' ? `none: neither here nor at ${configFile}` : loaded.text;
    const findings = [
      brokenConfig(loaded.kind, text, peer),
      ...UNSEEN.map(unseen),
      ...(await runChecks(programChecks(), signal)),
      ...clockFindings([], null, clock.now()),
    ];
    return report(configFile, peer, findings, clock.now());
  }
  const patient = await meet(configFile, loaded, signal);
  const callers = createCallers(patient, clock);
  const network = patientNetwork(patient, () => clock.now());
  try {
    const findings = await runChecks(
      [
        ...configurationChecks(patient),
        ...credentialChecks(patient),
        ...trustChecks(patient, clock.now()),
        ...stateChecks(patient),
        ...networkChecks(patient, network, callers),
        ...flowChecks(patient),
        ...programChecks(),
        ...agentChecks(patient),
      ],
      signal,
    );
    const time = clockFindings(callers.samples(), patient, clock.now());
    return report(configFile, patient.peer, [...findings, ...time], clock.now());
  } finally {
    callers.close();
    network.connections.close();
  }
}

/** Who works here, and how it is; a daemon that does not answer is a finding and no end. */
async function meet(configFile: string, loaded: LoadedConfig, signal: AbortSignal): Promise<Patient> {
  const paths = agentPaths(loaded.config, configFile);
  const settings = effectiveSettings(loaded.config, loaded.written, null, paths, { deepCheck: false });
  const within = AbortSignal.any([signal, AbortSignal.timeout(STATUS_MS)]);
  const claim = stateClaim(loaded.config, paths);
  const other = await otherOwner(claim, within);
  const peer = other === null ? await controlPeer(paths.socket, within).catch(() => null) : null;
  signal.throwIfAborted();
  const base = { loaded, paths, settings, other, peer };
  if (other !== null) return { ...base, status: null, obstacles: null, statusFault: notOurs(claim, other) };
  try {
    if (peer !== null) {
      const daemon = createControlClient(paths.socket);
      const [status, obstacles] = await Promise.all([
        daemon.status({}, within),
        daemon.obstacles({}, within),
      ]);
      return { ...base, status, obstacles, statusFault: null };
    }
    const observer = await openObserver(configFile, within);
    try {
      const [status, obstacles] = await Promise.all([observer.status(within), observer.obstacles(within)]);
      return { ...base, status, obstacles, statusFault: null };
    } finally {
      observer.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    return { ...base, status: null, obstacles: null, statusFault: (error as Error).message };
  }
}

async function daemonOfWrongConfig(configFile: string, signal: AbortSignal): Promise<ControlPeer | null> {
  const state = await stateOfWrongConfig(configFile, signal);
  return state === null ? null : controlPeer(socketPath(state), signal).catch(() => null);
}

function brokenConfig(kind: 'missing' | 'invalid', text: string, peer: ControlPeer | null): CheckedFinding {
  const works = peer === null ? '' : `; process ${peer.pid} works on with the last good one`;
  const advice =
    kind === 'missing'
      ? 'run edge-agent enroll, or name the file with --config'
      : 'correct it; edge-agent validate says the same';
  const finding = fail('configuration.file', `${text}${works}`, 'an agent.yaml without unknown keys', advice);
  return { ...finding, group: 'configuration', code: 2 };
}

/** What cannot be found without agent.yaml, so that silence is taken for no tick. */
const UNSEEN = ['credentials', 'trust', 'state', 'network', 'flows'] as const;

function unseen(group: (typeof UNSEEN)[number]): CheckedFinding {
  const finding = warn(
    `${group}.unseen`,
    'not looked at: needs agent.yaml',
    'an agent.yaml that can be read',
    null,
  );
  return { ...finding, group, code: 4 };
}

const GROUPS = ['configuration', 'credentials', 'trust', 'state', 'network', 'clock', 'flows', 'agent'];

function report(
  config: string,
  peer: ControlPeer | null,
  found: readonly CheckedFinding[],
  now: Date,
): DoctorReport {
  const findings = found.toSorted((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
  const failing = findings.filter(({ status }) => status === 'fail').map(({ code }) => code);
  const count = (wanted: string) => findings.filter(({ status }) => status === wanted).length;
  return {
    generated_at: now.toISOString(),
    agent_version: AGENT_VERSION,
    config,
    daemon: peer === null ? null : { pid: peer.pid, verb: peer.verb },
    summary: { ok: count('ok'), warn: count('warn'), fail: count('fail') },
    exit_code: failing.length === 0 ? 0 : Math.min(...failing),
    checks: findings.map(({ group, name, status, found: seen, expected, fix }) => ({
      group,
      name,
      status,
      found: scrubText(seen),
      expected,
      fix: fix === null ? null : scrubText(fix),
    })),
  };
}
