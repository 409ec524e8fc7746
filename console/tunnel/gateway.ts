import type { FastifyBaseLogger } from 'fastify';
import type { WebSocket } from 'ws';
import type { ConsoleHello, TunnelFrame } from '../../schemas/tunnel-frame.ts';
import type { Agent } from '../agents.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import { CLOSE, type CloseReason } from './close-code.ts';
import { createCommandOffers } from './command-offers.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import { createReceiver, type Received } from './receiver.ts';
import {
  closeSession,
  createSession,
  hasRoom,
  isStuck,
  type Session,
  sendFrame,
  spend,
  untoldOf,
} from './session.ts';

/** One clockwork for all sessions. */
const TICK_MS = 250;
const SWEEP_EVERY_TICKS = 4;
const LOOK_EVERY_TICKS = 20;
/** Told in one turn of the event loop, so that ten thousand agents do not hold everything else up. */
const SLICE = 500;
const SEEN_EVERY_MS = 5 * 60_000;
const SEEN_SLICE = 200;
const UNFINISHED_LOGS = 64;
const GOLDEN_RATIO = 0.618_034;

export interface Presence {
  readonly connected: boolean;
  readonly since: string | null;
  readonly session: string | null;
}

/** The console's half of the tunnel (contract, section 8). */
export interface TunnelGateway {
  /** Takes over an upgraded connection of an agent that has proved who it is. */
  open(socket: WebSocket, agent: Agent): void;
  /** True while there is room for one more. */
  hasPlace(): boolean;
  presence(agentId: string): Presence;
  connected(tenant: string): number;
  /** Makes the connected agents of the tenant look; how many. `commit` is what the branch points at, when that is known. */
  nudge(tenant: string, commit: string | null): number;
  /** A command for the agent has been stored. */
  commandAdded(agentId: string): void;
  /** Ends the sessions of these agents. */
  revoked(agentIds: ReadonlySet<string>): void;
  start(): void;
  /** Sends everybody away, each to come back at another moment, and waits for them to go, `graceMs` at most. */
  leave(graceMs: number): Promise<void>;
}

export function createTunnelGateway(parts: {
  readonly state: ConsoleState;
  readonly limits: ConsoleLimits;
  readonly notices: Notices;
  readonly log: FastifyBaseLogger;
}): TunnelGateway {
  const { state, limits, notices, log } = parts;
  const all = new Set<Session>();
  const byAgent = new Map<string, Session>();
  const byTenant = new Map<string, Set<Session>>();
  const paused = new Set<Session>();
  /** Sessions with something to tell at once, and with acknowledgements of logs that wait for company. */
  const soon = new Set<Session>();
  const later = new Set<Session>();
  /** The last commit each tenant has pushed while this process runs. */
  const tips = new Map<string, string>();
  const emptied = new Set<() => void>();
  let soonArmed: NodeJS.Immediate | undefined;
  let laterArmed: NodeJS.Timeout | undefined;
  let ticker: NodeJS.Timeout | undefined;
  let ticks = 0;
  let dataVersion = 0;
  let opened = 0;

  const now = () => state.clock.monotonicMs();
  const frame = (type: string, data: unknown, id = state.newId()) =>
    encodeFrame({ type, id, time: state.clock.now(), data });
  const send = (session: Session, bytes: Buffer) => {
    sendFrame(session, bytes, limits, () => pump(session));
  };
  const offers = createCommandOffers({ state, limits, notices, send });
  const receiver = createReceiver({ state, limits, notices, log, offers });

  const end = (session: Session, reason: CloseReason) => {
    forget(session);
    closeSession(session, reason);
  };

  const forget = (session: Session) => {
    if (session.phase === 'ended') return;
    const wasOpen = session.phase === 'open';
    session.phase = 'ended';
    session.untold = null;
    for (const set of [paused, soon, later]) set.delete(session);
    if (!wasOpen) return;
    if (byAgent.get(session.agentId) === session) byAgent.delete(session.agentId);
    const peers = byTenant.get(session.tenant);
    peers?.delete(session);
    if (peers?.size === 0) byTenant.delete(session.tenant);
    const { tenant, agentId: agent_id, id } = session;
    notices.tunnel.publish({ tenant, agent_id, session: id, state: 'disconnected' });
  };

  /** Sends what there is to be told, as far as there is room, and goes on reading when there is. */
  const pump = (session: Session) => {
    if (session.phase !== 'open') return;
    const { untold } = session;
    if (untold !== null) {
      while (untold.taken.length + untold.refused.length > 0 && hasRoom(session, limits)) {
        const ids = untold.taken.splice(0, 1_000);
        const refused = untold.refused.splice(0, 100);
        send(session, frame('edgeflows.ack', { ids, ...(refused.length === 0 ? {} : { refused }) }));
      }
      while (hasRoom(session, limits)) {
        const position = untold.logs.take();
        if (position === null) break;
        send(session, frame('edgeflows.run.log.ack', position));
      }
      if (untold.nudge !== undefined && hasRoom(session, limits)) {
        send(session, untold.nudge);
        untold.nudge = undefined;
      }
    }
    offers.offer(session, now());
    if (paused.has(session)) resume(session);
  };

  const resume = (session: Session) => {
    if (!hasRoom(session, limits) || !spend(session, 0, now(), limits)) return;
    paused.delete(session);
    session.heardAt = now();
    session.socket.resume();
  };

  const pause = (session: Session) => {
    paused.add(session);
    session.socket.pause();
  };

  const pumpSoon = (session: Session) => {
    soon.add(session);
    soonArmed ??= setImmediate(() => {
      soonArmed = undefined;
      const due = [...soon];
      soon.clear();
      for (const each of due) pump(each);
    });
  };

  const pumpLater = (session: Session) => {
    later.add(session);
    laterArmed ??= setTimeout(() => {
      laterArmed = undefined;
      const due = [...later];
      later.clear();
      for (const each of due) {
        each.untold?.logs.ripen();
        pump(each);
      }
    }, limits.logAckMs);
  };

  const settle = (session: Session, frameId: string, received: Received) => {
    switch (received.kind) {
      case 'nothing':
        return;
      case 'taken':
        untoldOf(session, limits).taken.push(frameId);
        return pumpSoon(session);
      case 'refused':
        untoldOf(session, limits).refused.push({
          id: frameId,
          code: received.code,
          message: received.message,
        });
        return pumpSoon(session);
      case 'answer':
        return send(session, frame(received.type, received.data, frameId));
      case 'answered':
        return pumpSoon(session);
      case 'log': {
        const urgent = untoldOf(session, limits).logs.note(received.position, received.bytes, received.gap);
        return urgent ? pumpSoon(session) : pumpLater(session);
      }
    }
  };

  const onMessage = (session: Session, data: Buffer, isBinary: boolean) => {
    if (session.phase === 'ended') return;
    if (isBinary) return end(session, CLOSE.noText);
    session.heardAt = now();
    const heard = decodeFrame(data);
    if (heard === null) return end(session, CLOSE.protocol);
    if (session.phase === 'greeting') {
      return receiver.isHello(session, heard) ? greeted(session, heard) : end(session, CLOSE.protocol);
    }
    settle(session, heard.id, receiver.receive(session, heard));
    const affordable = spend(session, receiver.costOf(heard), session.heardAt, limits);
    if (!affordable || !hasRoom(session, limits)) pause(session);
  };

  const greeted = (session: Session, hello: TunnelFrame) => {
    const before = byAgent.get(session.agentId);
    if (before !== undefined) end(before, CLOSE.replaced);
    session.phase = 'open';
    byAgent.set(session.agentId, session);
    const peers = byTenant.get(session.tenant) ?? new Set();
    byTenant.set(session.tenant, peers.add(session));
    const { tenant, agentId: agent_id, id } = session;
    notices.tunnel.publish({ tenant, agent_id, session: id, state: 'connected' });
    for (const { run_id, attempt, stream, offset } of state.logs.unfinished(agent_id, UNFINISHED_LOGS)) {
      untoldOf(session, limits).logs.note({ run_id, attempt, stream, offset }, 0, true);
    }
    const tip = tips.get(tenant);
    if (tip !== undefined && (hello.data as { active_revision?: unknown }).active_revision !== tip) {
      untoldOf(session, limits).nudge = frame('edgeflows.reconcile.request', { revision: tip });
    }
    pump(session);
  };

  const tick = () => {
    ticks += 1;
    if (ticks % SWEEP_EVERY_TICKS === 0) sweep();
    if (ticks % LOOK_EVERY_TICKS === 0) {
      for (const { agent_id, command_id } of state.commands.expire(state.clock.now())) {
        const tenant = state.agents.get(agent_id)?.tenant;
        if (tenant !== undefined) notices.command.publish({ tenant, agent_id, command_id, state: 'expired' });
      }
      state.logs.settle(limits);
    }
    lookAround();
  };

  /** The verbs of the command line work on the same database from another process. */
  const lookAround = () => {
    const { data_version: version } = state.database.sql.prepare('PRAGMA data_version').get() as {
      data_version: number;
    };
    if (version === dataVersion) return;
    dataVersion = version;
    gateway.revoked(new Set(state.agents.revokedIds()));
    for (const agentId of state.commands.agentsWaiting()) gateway.commandAdded(agentId);
  };

  const sweep = () => {
    const at = now();
    const seen: string[] = [];
    const beat = frame('edgeflows.heartbeat', {});
    for (const session of all) {
      if (session.phase === 'ended') continue;
      const isPaused = paused.has(session);
      const patience = session.phase === 'greeting' ? limits.tunnelHelloMs : limits.tunnelSilenceMs;
      if ((!isPaused && at - session.heardAt > patience) || isStuck(session, at, limits)) {
        end(session, CLOSE.silent);
        continue;
      }
      if (session.phase !== 'open') continue;
      if (at >= session.nextBeatAt) {
        session.nextBeatAt = at + limits.tunnelHeartbeatMs;
        if (hasRoom(session, limits)) send(session, beat);
      }
      if (offers.isOverdue(session, at)) pump(session);
      if (isPaused) resume(session);
      if (at - session.seenAt > SEEN_EVERY_MS && seen.length < SEEN_SLICE) {
        session.seenAt = at;
        seen.push(session.agentId);
      }
    }
    if (seen.length > 0) state.agents.seenAll(seen, state.clock.now());
  };

  const gateway: TunnelGateway = {
    open(socket, agent) {
      const session = createSession(
        {
          id: state.newId(),
          agentId: agent.agent_id,
          tenant: agent.tenant,
          since: state.clock.now().toISOString(),
          socket,
        },
        now(),
        // Agents that come back together do not stay together.
        now() + ((opened++ * GOLDEN_RATIO) % 1) * limits.tunnelHeartbeatMs,
        limits,
      );
      all.add(session);
      socket.on('message', (data, isBinary) => {
        onMessage(session, data as Buffer, isBinary);
      });
      socket.on('error', (err) => {
        log.info({ agent_id: session.agentId, session: session.id, err }, 'a tunnel session failed');
      });
      socket.on('close', () => {
        all.delete(session);
        if (session.phase === 'open') state.agents.seen(session.agentId, state.clock.now());
        forget(session);
        if (all.size === 0) for (const tell of emptied) tell();
      });
      const hello: ConsoleHello = {
        session: session.id,
        heartbeat_ms: limits.tunnelHeartbeatMs,
        time: state.clock.now().toISOString(),
      };
      send(session, frame('edgeflows.hello', hello));
    },
    hasPlace: () => all.size < limits.tunnelSessions,
    presence(agentId) {
      const session = byAgent.get(agentId);
      return {
        connected: session !== undefined,
        since: session?.since ?? null,
        session: session?.id ?? null,
      };
    },
    connected: (tenant) => byTenant.get(tenant)?.size ?? 0,
    nudge(tenant, commit) {
      const revision = commit === null ? null : `tenant/${tenant}@sha1:${commit}`;
      if (revision === null) tips.delete(tenant);
      else tips.set(tenant, revision);
      const peers = [...(byTenant.get(tenant) ?? [])];
      const nudge = frame('edgeflows.reconcile.request', revision === null ? {} : { revision });
      const tell = (from: number) => {
        for (const session of peers.slice(from, from + SLICE)) {
          if (session.phase !== 'open') continue;
          if (hasRoom(session, limits)) send(session, nudge);
          else untoldOf(session, limits).nudge = nudge;
        }
        if (from + SLICE < peers.length) setImmediate(tell, from + SLICE);
      };
      tell(0);
      return peers.length;
    },
    commandAdded(agentId) {
      const session = byAgent.get(agentId);
      if (session === undefined) return;
      session.moreCommands = true;
      pump(session);
    },
    revoked(agentIds) {
      // Those that have not said their hello yet too.
      for (const session of all) {
        if (session.phase !== 'ended' && agentIds.has(session.agentId)) end(session, CLOSE.revoked);
      }
    },
    start() {
      ticker ??= setInterval(tick, TICK_MS).unref();
    },
    async leave(graceMs) {
      clearInterval(ticker);
      clearTimeout(laterArmed);
      if (soonArmed !== undefined) clearImmediate(soonArmed);
      const leaving = [...all];
      // They come back over as many milliseconds as it takes to let them in again.
      const spreadMs = Math.min(60_000, Math.max(1_000, leaving.length * 10));
      for (const [index, session] of leaving.entries()) {
        const after_ms = Math.round((spreadMs * (index + 1)) / leaving.length);
        if (session.phase === 'open' && hasRoom(session, limits)) {
          send(session, frame('edgeflows.goaway', { after_ms, reason: CLOSE.goingAway.reason }));
        }
        if (session.phase !== 'ended') end(session, CLOSE.goingAway);
        if (index % SLICE === SLICE - 1) await new Promise((wake) => setImmediate(wake));
      }
      await untilEmpty(graceMs);
      for (const session of all) session.socket.terminate();
      await untilEmpty(graceMs);
      state.logs.settle(limits);
    },
  };

  const untilEmpty = async (ms: number) => {
    if (all.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    emptied.add(resolve);
    await promise;
    clearTimeout(timer);
    emptied.delete(resolve);
  };

  return gateway;
}
