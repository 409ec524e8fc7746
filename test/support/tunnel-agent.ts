import type {
  Chance,
  Clock,
  CommandReceipt,
  Tunnel,
  TunnelLink,
  TunnelPeer,
} from '../../reconciler/ports.ts';
import type { EventDraft } from '../../schemas/event.ts';
import type { RunLogAck } from '../../schemas/tunnel-frame.ts';
import { createWebsocketTunnel } from '../../sources/tunnel/websocket-tunnel.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { createHttpClient, type HttpClientOptions } from '../../system/http-client.ts';
import { type RecordedLine, recordingLog } from './recording-log.ts';

export interface AgentSide {
  readonly tunnel: Tunnel;
  readonly events: EventDraft[];
  readonly lines: readonly RecordedLine[];
  readonly commands: string[];
  readonly nudges: (string | null)[];
  readonly acknowledged: string[];
  readonly logAcks: RunLogAck[];
  readonly offsets: number[];
  /** `opened`, `closed`, `drained`, `state` in the order they were told. */
  readonly told: string[];
  /** Of the connection that is open. */
  link(): TunnelLink;
  receive(answer: (jws: string) => Promise<CommandReceipt>): void;
  stop(): Promise<void>;
}

export interface AgentSideOptions {
  readonly url: URL;
  readonly agentId?: string;
  readonly clock?: Clock;
  /** What `uniform` gives; 0.5 when left out. */
  readonly uniform?: () => number;
  readonly authorize?: (method: string, url: URL, offsetMs: number) => Promise<string | null>;
  readonly network?: Pick<HttpClientOptions, 'caFile' | 'proxy' | 'environment'>;
}

/** A tunnel with an agent behind it that notes what it is told. It runs at once, until `stop`. */
export function startAgentSide(options: AgentSideOptions): AgentSide {
  const log = recordingLog();
  const events: EventDraft[] = [];
  const commands: string[] = [];
  const nudges: (string | null)[] = [];
  const acknowledged: string[] = [];
  const logAcks: RunLogAck[] = [];
  const offsets: number[] = [];
  const told: string[] = [];
  const clock = options.clock ?? createSystemClock();
  const chance: Chance = { uniform: options.uniform ?? (() => 0.5), uuidv7: createSystemChance().uuidv7 };
  let link: TunnelLink | null = null;
  let receive = (jws: string): Promise<CommandReceipt> =>
    Promise.resolve({ kind: 'accepted', commandId: jws });
  const peer: TunnelPeer = {
    hello: () => ({
      agent_id: options.agentId ?? 'agent-1',
      agent_version: '0.1.0',
      boot_id: 'boot-1',
      log_id: 'log-1',
      next_seq: 1,
      active_revision: null,
    }),
    command(jws) {
      commands.push(jws);
      return receive(jws);
    },
    reconcileRequested: (revision) => void nudges.push(revision),
    opened(opened) {
      link = opened;
      told.push('opened');
    },
    closed: () => void told.push('closed'),
    drained: () => void told.push('drained'),
    acknowledged: (ids) => void acknowledged.push(...ids),
    logAcknowledged: (position) => void logAcks.push(position),
    stateChanged: () => void told.push('state'),
  };
  const client = createHttpClient({
    userAgent: 'edge-agent/test',
    environment: {},
    clock,
    onClockOffset: (ms) => void offsets.push(ms),
    ...options.network,
  });
  const authorize = options.authorize ?? (() => Promise.resolve('Bearer eyJhbGciOiJFZDI1NTE5In0.e30.c2ln'));
  const tunnel = createWebsocketTunnel(
    {
      peer,
      authorize: (method, url) => authorize(method, url, offsets.at(-1) ?? 0),
      route: (url) => client.upgradeRoute(url),
      events: { emit: (draft) => void events.push(draft) },
      log,
      clock,
      chance,
    },
    { url: options.url, userAgent: 'edge-agent/test' },
  );
  const stopping = new AbortController();
  const ended = tunnel.run(stopping.signal);
  return {
    tunnel,
    events,
    lines: log.lines,
    commands,
    nudges,
    acknowledged,
    logAcks,
    offsets,
    told,
    link() {
      if (link === null) throw new Error('expected an open connection, found none yet');
      return link;
    },
    receive: (answer) => {
      receive = answer;
    },
    async stop() {
      stopping.abort();
      await ended;
      client.close();
    },
  };
}
