import { join } from 'node:path';
import { listProcesses } from '../executors/process-table.ts';
import type { Chance, Clock, CommandInbox, EventSink, Tunnel, TunnelPeer } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { IdentityConflict } from '../schemas/identity.ts';
import type { AgentHello } from '../schemas/tunnel-frame.ts';
import { createSupervisedTunnel } from '../sources/tunnel/supervised-tunnel.ts';
import { tunnelUrl } from '../sources/tunnel/tunnel-url.ts';
import { createWebsocketTunnel } from '../sources/tunnel/websocket-tunnel.ts';
import type { HttpClient } from '../system/http-client.ts';
import type { Log } from '../system/log.ts';
import { type AgentPaths, configPath } from './paths.ts';
import { AGENT_VERSION } from './version.ts';

export interface TunnelInputs {
  readonly config: AgentConfig;
  readonly paths: AgentPaths;
  readonly inbox: CommandInbox;
  /** What is sent while a connection is open, and what the console has of it. */
  readonly feed: Pick<TunnelPeer, 'opened' | 'closed' | 'drained' | 'acknowledged' | 'logAcknowledged'>;
  readonly hello: () => AgentHello;
  readonly authorize: (method: string, url: URL) => Promise<string>;
  readonly route: HttpClient['upgradeRoute'];
  readonly onNudge: () => void;
  readonly onState: () => void;
  /** The console says that another machine speaks with the same identity. */
  readonly onIdentityConflict: (told: IdentityConflict) => void;
  /** The console is back: nothing has to wait for its backoff. */
  readonly onOpen: () => void;
  readonly events: EventSink;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** What of agent.yaml a tunnel is built from. */
export function tunnelKey(config: AgentConfig, paths: AgentPaths): string {
  const { tunnel, network, saas_url, agent_id } = config;
  return JSON.stringify([tunnel, network, saas_url, agent_id, paths.credentials, paths.caFile]);
}

/** The tunnel that agent.yaml names; null for `none`. */
export function createTunnel(inputs: TunnelInputs): Tunnel | null {
  const { config, paths, inbox, feed, events, log, clock, chance } = inputs;
  switch (config.tunnel.kind) {
    case 'none':
      return null;
    case 'websocket': {
      const peer: TunnelPeer = {
        hello: inputs.hello,
        command: (jws) => inbox.receive(jws, 'websocket'),
        reconcileRequested: () => inputs.onNudge(),
        opened(link, hello) {
          feed.opened(link, hello);
          inputs.onOpen();
        },
        closed: () => feed.closed(),
        drained: () => feed.drained(),
        acknowledged: (ids) => feed.acknowledged(ids),
        logAcknowledged: (position) => feed.logAcknowledged(position),
        stateChanged: () => inputs.onState(),
      };
      const { authorize, route } = inputs;
      return createWebsocketTunnel(
        { peer, authorize, route, events, log, clock, chance, onIdentityConflict: inputs.onIdentityConflict },
        { url: tunnelUrl(config.tunnel.url, config.saas_url), userAgent: `edge-agent/${AGENT_VERSION}` },
      );
    }
    case 'rathole':
    case 'frp': {
      const at = (written: string) => configPath(written, paths.config);
      const { token_file, ca_file, binary } = config.tunnel;
      return createSupervisedTunnel(
        {
          inbox,
          events,
          log,
          clock,
          chance,
          stateChanged: inputs.onState,
          marked: async (mark) =>
            (await listProcesses(mark)).filter(({ marked, zombie }) => marked && !zombie),
        },
        {
          tunnel: {
            ...config.tunnel,
            token_file: at(token_file),
            ...(ca_file === undefined ? {} : { ca_file: at(ca_file) }),
            ...(binary === undefined ? {} : { binary: at(binary) }),
          },
          folder: join(paths.state, 'tunnel'),
          proxy: config.network.proxy ?? null,
        },
      );
    }
  }
}
