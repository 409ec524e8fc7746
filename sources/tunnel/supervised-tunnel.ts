import { rm } from 'node:fs/promises';
import type { Chance, Clock, CommandInbox, EventSink, Tunnel } from '../../reconciler/ports.ts';
import { splitServer, type TunnelClient } from '../../schemas/tunnel-client.ts';
import { isLoopback } from '../../schemas/urls.ts';
import type { Log } from '../../system/log.ts';
import {
  checkCertificates,
  configurationPath,
  findProgram,
  readToken,
  writeConfiguration,
} from './client-files.ts';
import { type CommandPort, openCommandPort } from './command-port.ts';
import { frp } from './frp.ts';
import { endOrphanClients, type MarkedProcesses } from './orphan-clients.ts';
import { rathole } from './rathole.ts';
import { reconnectWaitMs } from './reconnect.ts';
import { createStanding } from './standing.ts';
import { type Supervision, superviseClient } from './supervised-client.ts';

export interface SupervisedTunnelDeps {
  readonly inbox: CommandInbox;
  readonly events: EventSink;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly marked: MarkedProcesses;
  stateChanged(): void;
}

export interface SupervisedTunnelOptions {
  /** With absolute paths. */
  readonly tunnel: TunnelClient;
  /** The agent's own, 0700: `<state>/tunnel`. */
  readonly folder: string;
  /** `network.proxy`; not used for a server on this machine. */
  readonly proxy: string | null;
  /** Default the agent's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * `tunnel.kind: rathole` or `frp` (contract, section 8): the real client as a sub-process that exposes one loopback port, which takes
 * signed commands. One process is one connection: whatever goes wrong ends it, and the next is started after a backoff.
 */
export function createSupervisedTunnel(deps: SupervisedTunnelDeps, options: SupervisedTunnelOptions): Tunnel {
  const { clock, chance, log, inbox } = deps;
  const { tunnel, folder } = options;
  const program = tunnel.kind === 'rathole' ? rathole : frp;
  const environment = options.environment ?? process.env;
  const standing = createStanding(deps);
  const proxy = isLoopback(splitServer(tunnel.server).host) ? null : options.proxy;
  let port: CommandPort | null = null;
  let told: string | null = null;
  const through = `${program.name} to ${tunnel.server}`;

  /** From the look for its files to the end of the process. */
  const oneClient = async (localPort: number, signal: AbortSignal): Promise<Supervision> => {
    const caFile = tunnel.ca_file ?? null;
    const found = await findProgram(program, tunnel.binary ?? null, environment['PATH'] ?? '');
    const token = await readToken(tunnel.token_file);
    const certificates = caFile === null ? null : await checkCertificates(caFile, program);
    for (const part of [found, token, certificates]) {
      if (part?.kind === 'missing') return { ready: false, cause: part.message };
    }
    if (found.kind === 'missing' || token.kind === 'missing') throw new Error('looked at above');
    const inputs = { tunnel, token: token.value, localPort, caFile, proxy };
    const configuration = await writeConfiguration(folder, program, program.configuration(inputs));
    return await superviseClient(
      {
        clock,
        log,
        onReady: () => standing.connected(`${through}: the service ${tunnel.service} is connected`),
      },
      { program, file: found.value, configuration, folder, environment, secrets: secretsOf(inputs) },
      signal,
    );
  };

  const attempt = async (signal: AbortSignal): Promise<boolean> => {
    let ended: Supervision;
    try {
      port ??= await openCommandPort({ receive: (jws) => inbox.receive(jws, tunnel.kind), clock, log });
      ended = await oneClient(port.port, signal);
    } catch (error) {
      // A full disk, a folder that is not ours: waiting may help, and the agent polls meanwhile.
      ended = { ready: false, cause: error instanceof Error ? error.message : String(error) };
    }
    if (signal.aborted) {
      standing.stopped(ended.ready);
      return ended.ready;
    }
    const cause = `${through}: ${ended.cause}`;
    if (ended.ready) standing.lost(cause, false);
    else standing.failed(cause);
    // tried every second for days: what repeats is told once
    const level = ended.ready || ended.cause !== told ? 'warn' : 'debug';
    log[level]('The tunnel client ended', { program: program.name, because: ended.cause });
    told = ended.cause;
    return ended.ready;
  };

  const endEarlierClients = async (signal: AbortSignal): Promise<void> => {
    try {
      const count = await endOrphanClients(folder, deps.marked, clock, signal);
      if (count > 0) log.warn('Tunnel clients of an earlier life were ended', { count });
    } catch (error) {
      if (!signal.aborted) log.warn('Tunnel clients of an earlier life could not be looked for', { error });
    }
  };

  return {
    state: standing.state,
    async run(signal) {
      standing.connecting();
      try {
        await endEarlierClients(signal);
        for (let retry = 0; !signal.aborted; retry += 1) {
          if (await attempt(signal)) retry = 0;
          if (signal.aborted) break;
          await clock.sleep(reconnectWaitMs('backoff', retry, chance.uniform()), signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        await port?.close();
        port = null;
        await rm(configurationPath(folder, program), { force: true }).catch(() => undefined);
        standing.stopped(false);
      }
    },
  };
}

function secretsOf({ token, proxy }: { token: string; proxy: string | null }): string[] {
  return [token, ...(proxy !== null && URL.canParse(proxy) ? [new URL(proxy).password] : [])];
}
