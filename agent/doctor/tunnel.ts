import { connect } from 'node:net';
import { programOnPath } from '../../executors/system-browser.ts';
import { splitServer, type TunnelClient } from '../../schemas/tunnel-client.ts';
import { shownTunnelUrl, tunnelUrl } from '../../sources/tunnel/tunnel-url.ts';
import { upgrade } from '../../sources/tunnel/upgrade.ts';
import { configPath } from '../paths.ts';
import { AGENT_VERSION } from '../version.ts';
import type { Callers } from './callers.ts';
import { type Check, type Finding, fail, ok } from './check.ts';
import { connectionFindings, type Network } from './connection.ts';
import type { Patient } from './patient.ts';
import { ENROL_ANEW, knownEnd } from './standing.ts';

const CONNECT_MS = 10_000;
const NAME = 'network.tunnel';
const OPEN = 'an open tunnel';

/** The tunnel that agent.yaml names. While a daemon runs it is asked: another connection would take the place of its own. */
export function tunnelChecks(patient: Patient, network: Network, callers: Callers): Check[] {
  const { config } = patient.loaded;
  const base = { group: 'network', code: 5, expected: OPEN } as const;
  const { tunnel } = config;
  if (tunnel.kind === 'none')
    return [{ ...base, name: NAME, run: async () => ok(NAME, 'none: the agent polls', 'a tunnel, or none') }];
  if (tunnel.kind !== 'websocket')
    return [{ ...base, name: NAME, run: (signal) => clientFindings(patient, tunnel, signal) }];
  const url = tunnelUrl(tunnel.url, config.saas_url);
  return [
    {
      ...base,
      name: NAME,
      async run(signal) {
        const findings = await connectionFindings(NAME, url, network, signal);
        if (patient.peer !== null) return [...findings, daemonFinding(patient)];
        if (findings.some(({ status }) => status === 'fail')) return findings;
        return [...findings, await handshakeFinding(url, callers, signal)];
      },
    },
  ];
}

function daemonFinding(patient: Patient): Finding {
  const { status, obstacles } = patient;
  const name = 'network.tunnel.session';
  const state = status?.tunnel.state ?? 'unknown';
  if (state === 'connected')
    return ok(name, `connected, says the agent, since ${status?.tunnel.since}`, OPEN);
  const why = obstacles?.tunnel ?? null;
  const fix = knownEnd(patient) === null ? null : ENROL_ANEW;
  return fail(name, `${state}, says the agent${why === null ? '' : `: ${why}`}`, OPEN, fix);
}

async function handshakeFinding(url: URL, callers: Callers, signal: AbortSignal): Promise<Finding> {
  const name = 'network.tunnel.session';
  const client = callers.client('tunnel');
  const deps = {
    authorize: (method: 'GET', at: URL) => callers.authorize(method, at),
    route: (at: URL) => client.upgradeRoute(at),
    clock: callers.clock,
  };
  const options = { url, userAgent: `edge-agent/${AGENT_VERSION} doctor` };
  const first = await upgrade(deps, options, signal);
  // a token of a wrong clock: its answer has told the time
  const late = first.kind === 'failed' && first.unbelieved && Math.abs(first.clockOffsetMs ?? 0) > 30_000;
  const outcome = late ? await upgrade(deps, options, signal) : first;
  if (outcome.kind === 'failed') return fail(name, outcome.message, OPEN, null, outcome.unbelieved ? 4 : 5);
  outcome.socket.terminate();
  return ok(name, `${shownTunnelUrl(url)} opens`, OPEN);
}

/** rathole and frp: their server, their program, and what the daemon says of it. */
async function clientFindings(
  patient: Patient,
  tunnel: TunnelClient,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { host, port } = splitServer(tunnel.server);
  const program = tunnel.kind === 'rathole' ? 'rathole' : 'frpc';
  const binary =
    tunnel.binary === undefined
      ? await programOnPath(program, process.env)
      : configPath(tunnel.binary, patient.paths.config);
  const expected = `the program ${program}`;
  const found =
    binary === null
      ? fail(
          'network.tunnel.program',
          `no ${program} on PATH`,
          expected,
          `install it, or set tunnel.binary`,
          4,
        )
      : ok('network.tunnel.program', binary, expected);
  return [
    found,
    await socketFinding(host, port, signal),
    ...(patient.peer === null ? [] : [daemonFinding(patient)]),
  ];
}

function socketFinding(host: string, port: number, signal: AbortSignal): Promise<Finding> {
  const name = 'network.tunnel.tcp';
  const expected = 'a server that takes connections';
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    const advice = 'check tunnel.server, the firewall, and that the server runs';
    const failed = (why: string) => settle(fail(name, `${host}:${port}: ${why}`, expected, advice));
    signal.addEventListener('abort', () => failed('given up'), { once: true });
    socket.setTimeout(CONNECT_MS, () => failed('no answer'));
    socket.once('connect', () => settle(ok(name, `${host}:${port}`, expected)));
    socket.once('error', (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
  });
}
