import type { FastifyBaseLogger } from 'fastify';
import type { WebSocket } from 'ws';
import type { ConsoleHello, TunnelFrame } from '../../schemas/tunnel-frame.ts';
import type { IdentityAlarms } from '../identity-alarms.ts';
import type { ConsoleLimits } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { ConsoleState } from '../state.ts';
import type { Agent } from '../store/ports/agents.ts';
import { CLOSE, type CloseReason } from './close-code.ts';
import { decodeFrame } from './frame.ts';
import { createInboxes } from './inbox.ts';
import { createOutgoing } from './outgoing.ts';
import { createReceiver } from './receiver.ts';
import { createRoster } from './roster.ts';
import { createRound } from './round.ts';
import { closeSession, createSession, hasRoom, isStuck, type Session, untoldOf } from './session.ts';

/** One clockwork for all sessions. */
const TICK_MS = 250;
const SWEEP_EVERY_TICKS = 4;
const UPKEEP_EVERY_TICKS = 20;
/** Told in one turn of the event loop, so that ten thousand agents do not hold everything else up. */
const SLICE = 500;
const SEEN_EVERY_MS = 5 * 60_000;
const SEEN_SLICE = 200;
const UNFINISHED_LOGS = 64;
const PING_COST = 0.5;
const GOLDEN_RATIO = 0.618_034;
/** They come back over as many milliseconds as it takes to let them in again. */
const COME_BACK_MS = { each: 10, min: 1_000, max: 60_000 };

export interface Presence {
  readonly connected: boolean;
  readonly since: string | null;
  readonly session: string | null;
}

/** The console's half of the tunnel (contract, section 8). */
export interface TunnelGateway {
  /** Takes over an upgraded connection of an agent that has proved who it is. */
  open(socket: WebSocket, agent: Agent, address: string): void;
  /** True while there is room for one more. */
  hasPlace(): boolean;
  presence(agentId: string): Presence;
  connected(tenant: string): number;
  /** Makes the connected agents of the tenant look; how many. `commit` is what the branch points at, when that is known. */
  nudge(tenant: string, commit: string | null): number;
  /** Makes this agent look; false when it is not connected. */
  nudgeAgent(agentId: string): boolean;
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
  readonly alarms: IdentityAlarms;
}): TunnelGateway {
  const { state, limits, notices, log, alarms } = parts;
  const roster = createRoster();
  const outgoing = createOutgoing({
    state,
    limits,
    notices,
    log,
    isBehind: (session) => inboxes.isFull(session),
  });
  const receiver = createReceiver({ state, limits, notices, log, offers: outgoing.offers });
  /** The last revision each tenant has pushed while this process runs. */
  const tips = new Map<string, string>();
  let ticker: NodeJS.Timeout | undefined;
  let ticks = 0;
  let opened = 0;
  const now = () => state.clock.monotonicMs();

  const retire = (session: Session) => {
    outgoing.drop(session);
    if (!roster.retire(session)) return;
    const { tenant, agentId: agent_id, id } = session;
    notices.tunnel.publish({ tenant, agent_id, session: id, state: 'disconnected' });
  };

  const end = (session: Session, reason: CloseReason) => {
    if (session.phase === 'ended') return;
    retire(session);
    closeSession(session, reason);
  };

  /** What is not waited for by anybody who could be told. */
  const unheard = (work: Promise<unknown>) => {
    work.catch((err: unknown) => log.error({ err }, 'something could not be noted'));
  };

  const onMessage = (session: Session, data: Buffer, isBinary: boolean) => {
    if (session.phase === 'ended') return;
    if (isBinary) return end(session, CLOSE.noText);
    session.heardAt = now();
    const heard = decodeFrame(data);
    if (heard === null) return end(session, CLOSE.protocol);
    inboxes.add(session, heard);
    outgoing.throttle(session, session.phase === 'greeting' ? 0 : receiver.costOf(heard));
  };

  /** What was read before the connection ended counts: its agent may believe that it was taken. */
  const handle = async (session: Session, heard: TunnelFrame) => {
    if (session.phase === 'greeting') {
      if (!receiver.isHello(session, heard)) return end(session, CLOSE.protocol);
      return welcome(session, heard).catch((err: unknown) => {
        log.error({ err, agent_id: session.agentId, session: session.id }, 'a hello could not be taken');
        end(session, CLOSE.silent);
      });
    }
    const received = await receiver.receive(session, heard);
    if (session.phase === 'open') outgoing.settle(session, heard.id, received);
  };
  const inboxes = createInboxes<TunnelFrame>(handle, (session) => {
    if (outgoing.isPaused(session)) outgoing.pump(session);
  });

  const welcome = async (session: Session, hello: TunnelFrame) => {
    session.boot = bootIn(hello);
    const agent = await state.agents.get(session.agentId);
    // It may have been revoked since it asked for the connection.
    if (agent?.revoked_at != null) return end(session, CLOSE.revoked);
    if (session.boot !== null && agent !== null) {
      const said = {
        machine: null,
        hostname: null,
        os: null,
        address: session.address,
        at: state.clock.now(),
      };
      const isConflict = await state.identities.note(session.agentId, { ...said, boot: session.boot });
      if (isConflict) await alarms.conflict(agent);
    }
    const isContested = await state.identities.isOngoing(session.agentId);
    if (session.phase !== 'greeting') return;
    // From here to its welcome nothing is waited for: of two that greet at one time, one comes after the other.
    const before = roster.ofAgent(session.agentId);
    if (before !== undefined) {
      // Two machines with one identity would take the connection from each other all day: the one that has it keeps it.
      if (before.boot !== session.boot && isContested) {
        await tellConflict(session);
        return end(session, CLOSE.conflict);
      }
      end(before, CLOSE.replaced);
    }
    roster.welcome(session);
    await tellConflict(session);
    // Its end has been told by now: nobody is to hear that it is there after that it has gone.
    if (hasEnded(session)) return;
    const { tenant, agentId: agent_id, id } = session;
    notices.tunnel.publish({ tenant, agent_id, session: id, state: 'connected' });
    const unfinished = await state.logs.unfinished(agent_id, UNFINISHED_LOGS);
    if (hasEnded(session)) return;
    for (const { run_id, attempt, stream, offset } of unfinished) {
      untoldOf(session, limits).logs.note({ run_id, attempt, stream, offset }, 0, true);
    }
    // What was pushed while the agent was away.
    const revision = tips.get(tenant);
    if (
      revision !== undefined &&
      (hello.data as { active_revision?: unknown }).active_revision !== revision
    ) {
      outgoing.nudge(session, outgoing.frame('edgeflows.reconcile.request', { revision }));
    }
    outgoing.pump(session);
  };

  const tellConflict = async (session: Session) => {
    const told = await state.identities.told(session.agentId, session.boot);
    if (told !== null && hasRoom(session, limits)) {
      outgoing.send(session, outgoing.frame('edgeflows.identity.conflict', told));
    }
  };
  notices.identity.subscribe(({ agent_id, action }) => {
    const session = action === 'identity_conflict' ? roster.ofAgent(agent_id) : undefined;
    if (session !== undefined) unheard(tellConflict(session));
  });

  const tick = () => {
    ticks += 1;
    if (ticks % SWEEP_EVERY_TICKS === 0) sweep();
    if (ticks % UPKEEP_EVERY_TICKS === 0) upkeep();
    looks();
  };

  const sweep = () => {
    const at = now();
    const seen: string[] = [];
    const beat = outgoing.frame('edgeflows.heartbeat', {});
    for (const session of roster.all) {
      if (session.phase === 'ended') continue;
      const isPaused = outgoing.isPaused(session);
      const patience = session.phase === 'greeting' ? limits.tunnelHelloMs : limits.tunnelSilenceMs;
      if ((!isPaused && at - session.heardAt > patience) || isStuck(session, at, limits)) {
        end(session, CLOSE.silent);
        continue;
      }
      if (session.phase === 'greeting') continue;
      if (at >= session.nextBeatAt) {
        session.nextBeatAt = at + limits.tunnelHeartbeatMs;
        if (hasRoom(session, limits)) outgoing.send(session, beat);
      }
      if (outgoing.offers.isOverdue(session, at) || isPaused) outgoing.pump(session);
      if (at - session.seenAt > SEEN_EVERY_MS && seen.length < SEEN_SLICE) {
        session.seenAt = at;
        seen.push(session.agentId);
      }
    }
    if (seen.length > 0) unheard(state.agents.seenAll(seen, state.clock.now()));
  };

  const upkeep = createRound(async () => {
    for (const { agent_id, command_id } of await state.commands.expire(state.clock.now())) {
      const tenant = (await state.agents.get(agent_id))?.tenant;
      if (tenant !== undefined) notices.command.publish({ tenant, agent_id, command_id, state: 'expired' });
    }
    await state.logs.settle(limits);
  }, unheard);

  /** The verbs of the command line work on the same database from another process. */
  let hasLooked = false;
  const looks = createRound(async () => {
    if (!(await state.changedElsewhere())) return;
    // What was there at the first look is no news.
    if (hasLooked) notices.elsewhere.publish({});
    hasLooked = true;
    gateway.revoked(new Set(await state.agents.revokedIds()));
    for (const agentId of await state.commands.agentsWaiting()) gateway.commandAdded(agentId);
  }, unheard);

  const gateway: TunnelGateway = {
    open(socket, agent, address) {
      const at = now();
      opened += 1;
      // Agents that come back together do not stay together.
      const firstBeatAt = at + ((opened * GOLDEN_RATIO) % 1) * limits.tunnelHeartbeatMs;
      const since = state.clock.now().toISOString();
      const { agent_id: agentId, tenant } = agent;
      const facts = { id: state.newId(), agentId, tenant, since, socket, address };
      const session = createSession(facts, at, firstBeatAt, limits);
      roster.add(session);
      socket.on('message', (data, isBinary) => {
        onMessage(session, data as Buffer, isBinary);
      });
      socket.on('ping', (data) => {
        if (session.phase !== 'open') return;
        outgoing.pong(session, data);
        outgoing.throttle(session, PING_COST);
      });
      socket.on('error', (err) => {
        log.info({ agent_id: session.agentId, session: session.id, err }, 'a tunnel session failed');
      });
      socket.on('close', () => {
        if (session.phase === 'open') unheard(state.agents.seen(session.agentId, state.clock.now()));
        retire(session);
        roster.remove(session);
      });
      const hello: ConsoleHello = {
        session: session.id,
        heartbeat_ms: limits.tunnelHeartbeatMs,
        time: state.clock.now().toISOString(),
      };
      outgoing.send(session, outgoing.frame('edgeflows.hello', hello));
    },
    hasPlace: () => roster.all.size < limits.tunnelSessions,
    presence(agentId) {
      const session = roster.ofAgent(agentId);
      return {
        connected: session !== undefined,
        since: session?.since ?? null,
        session: session?.id ?? null,
      };
    },
    connected: (tenant) => roster.count(tenant),
    nudge(tenant, commit) {
      const revision = commit === null ? null : `tenant/${tenant}@sha1:${commit}`;
      if (revision === null) tips.delete(tenant);
      else tips.set(tenant, revision);
      const peers = roster.ofTenant(tenant);
      const nudge = outgoing.frame('edgeflows.reconcile.request', revision === null ? {} : { revision });
      const tell = (from: number) => {
        for (const session of peers.slice(from, from + SLICE)) {
          if (session.phase === 'open') outgoing.nudge(session, nudge);
        }
        if (from + SLICE < peers.length) setImmediate(tell, from + SLICE);
      };
      tell(0);
      return peers.length;
    },
    nudgeAgent(agentId) {
      const session = roster.ofAgent(agentId);
      if (session === undefined) return false;
      outgoing.nudge(session, outgoing.frame('edgeflows.reconcile.request', {}));
      return true;
    },
    commandAdded(agentId) {
      const session = roster.ofAgent(agentId);
      if (session === undefined) return;
      session.moreCommands = true;
      outgoing.pump(session);
    },
    revoked(agentIds) {
      if (agentIds.size === 0) return;
      // Those that have not said their hello yet too.
      for (const session of roster.all) if (agentIds.has(session.agentId)) end(session, CLOSE.revoked);
    },
    start() {
      looks();
      ticker ??= setInterval(tick, TICK_MS).unref();
    },
    async leave(graceMs) {
      clearInterval(ticker);
      outgoing.close();
      const leaving = [...roster.all];
      const { each, min, max } = COME_BACK_MS;
      const spreadMs = Math.min(max, Math.max(min, leaving.length * each));
      for (const [index, session] of leaving.entries()) {
        const after_ms = Math.round((spreadMs * (index + 1)) / leaving.length);
        if (session.phase === 'open' && hasRoom(session, limits)) {
          const { reason } = CLOSE.goingAway;
          outgoing.send(session, outgoing.frame('edgeflows.goaway', { after_ms, reason }));
        }
        end(session, CLOSE.goingAway);
        if (index % SLICE === SLICE - 1) await new Promise((wake) => setImmediate(wake));
      }
      await roster.untilEmpty(graceMs);
      for (const session of roster.all) session.socket.terminate();
      await roster.untilEmpty(graceMs);
      await inboxes.settled();
      await Promise.all([looks.ended(), upkeep.ended()]);
      await state.logs.settle(limits);
    },
  };
  return gateway;
}

/** Asked after something was waited for. */
function hasEnded({ phase }: Session): boolean {
  return phase === 'ended';
}

function bootIn({ data }: TunnelFrame): string | null {
  const { boot_id: boot } = data as { boot_id?: unknown };
  return typeof boot === 'string' && boot.length > 0 && boot.length <= 255 ? boot : null;
}
