import type { WebSocket } from 'ws';
import type { Chance, Clock, TunnelPeer } from '../../reconciler/ports.ts';
import type { IdentityConflict } from '../../schemas/identity.ts';
import type { ConsoleHello } from '../../schemas/tunnel-frame.ts';
import type { Log } from '../../system/log.ts';
import { createCommandQueue } from './command-queue.ts';
import { type Incoming, readFrame } from './frames.ts';
import { createLink } from './link.ts';
import { createLiveness } from './liveness.ts';
import { createNudges } from './nudges.ts';
import { CLOSE, closeReason, endedByConsole, printable, type SessionEnd, unplanned } from './session-end.ts';
import {
  CLOSE_DEADLINE_MS,
  HEARTBEAT_MAX_MS,
  HEARTBEAT_MIN_MS,
  HELLO_DEADLINE_MS,
  INVALID_FRAMES_MAX,
  LEAVE_DEADLINE_MS,
  NUDGE_EVERY_MS,
} from './websocket-limits.ts';

export interface SessionDeps {
  readonly socket: WebSocket;
  readonly peer: TunnelPeer;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** Both hellos are there. */
  opened(hello: ConsoleHello): void;
  /** Another machine speaks with the same identity. */
  readonly conflict?: ((told: IdentityConflict) => void) | undefined;
}

/**
 * One open connection, from the hellos to the close: gives what comes to the peer, keeps it alive, and notices when it is
 * dead. Takes the socket paused. Resolves when it is closed, for whatever reason; the signal closes it.
 */
export function holdSession(deps: SessionDeps, signal: AbortSignal): Promise<SessionEnd> {
  const { socket, peer, clock, chance, log } = deps;
  const { promise, resolve } = Promise.withResolvers<SessionEnd>();
  const over = new AbortController();
  const hello = peer.hello();
  let greeted: ConsoleHello | null = null;
  const greeting = Promise.withResolvers<void>();
  const liveness = createLiveness(clock);
  let healthy = false;
  let invalid = 0;
  /** Set by a goaway. */
  let leaving: Omit<SessionEnd, 'healthy'> | null = null;
  let decided: Omit<SessionEnd, 'healthy'> | null = null;

  const holds = new Set<string>();
  const hold = (why: string) => (full: boolean) => {
    if (full) holds.add(why);
    else holds.delete(why);
    if (holds.size > 0) {
      socket.pause();
      return;
    }
    // What was not read could not be heard: a slow disk here is not the console's silence.
    liveness.heard();
    socket.resume();
  };
  const link = createLink({
    socket,
    agentId: hello.agent_id,
    clock,
    chance,
    log,
    drained: () => peer.drained(),
    onFull: hold('answers'),
  });
  const commands = createCommandQueue({
    receive: (jws) => peer.command(jws),
    acknowledge: (ack) => link.answer('edgeflows.ack', ack),
    onFull: hold('commands'),
    log,
  });
  const nudge = createNudges(clock, NUDGE_EVERY_MS, peer.reconcileRequested, over.signal);

  /** Decides how it ends, once, and closes; a console that does not answer the close is cut off. */
  const end = (code: number, how: Omit<SessionEnd, 'healthy'>) => {
    if (decided !== null) return;
    decided = how;
    commands.close();
    link.close();
    socket.resume();
    socket.close(code, closeReason(how.message));
    clock.sleep(CLOSE_DEADLINE_MS, over.signal).then(
      () => socket.terminate(),
      () => {},
    );
  };
  const breach = (message: string, code: number = CLOSE.rules) => {
    healthy = false;
    end(code, unplanned('backoff', message));
  };

  /** What waits is persisted and acknowledged; a console in a hurry may close before. */
  const leave = async (afterMs: number, reason: string) => {
    const message = `the console asked to come again in ${afterMs} ms: ${printable(reason)}`;
    leaving = { pace: 'backoff', askedMs: afterMs, message, planned: true };
    await Promise.race([commands.idle(), clock.sleep(LEAVE_DEADLINE_MS, over.signal)]);
    end(CLOSE.done, leaving);
  };

  const take = (frame: Incoming) => {
    if (frame.kind === 'invalid') {
      invalid += 1;
      const say = invalid === 1 ? log.warn : log.debug;
      say('The console sent a frame that is none', { found: frame.message, invalid });
      if (greeted === null) breach(`expected a hello as the first frame; ${frame.message}`);
      else if (invalid >= INVALID_FRAMES_MAX)
        breach(`${invalid} frames were none; the last: ${frame.message}`);
      return;
    }
    if (greeted === null) {
      if (frame.kind !== 'hello') {
        breach(
          `expected a hello as the first frame, found ${frame.kind === 'ignored' ? printable(frame.type) : frame.kind}`,
        );
        return;
      }
      greeted = frame.hello;
      greeting.resolve();
      deps.opened(frame.hello);
      peer.opened(link, frame.hello);
      return;
    }
    healthy = true;
    switch (frame.kind) {
      case 'hello':
        take({ kind: 'invalid', message: 'expected one hello, found another' });
        return;
      case 'command':
        if (leaving === null) commands.push(frame.id, frame.jws);
        return;
      case 'reconcile':
        nudge(frame.revision);
        return;
      case 'echo':
        link.answer('edgeflows.echo.reply', frame.data, frame.id);
        return;
      case 'ack':
        for (const id of frame.refused) log.warn('The console refused a frame; it is not sent again', { id });
        peer.acknowledged([...frame.ids, ...frame.refused]);
        return;
      case 'log_ack':
        peer.logAcknowledged(frame.position);
        return;
      case 'goaway':
        if (leaving === null) leave(frame.afterMs, frame.reason).catch(() => {});
        return;
      case 'conflict':
        deps.conflict?.(frame.told);
        return;
      case 'heartbeat':
        return;
      case 'ignored':
        log.debug('The console sent a frame of a type that means nothing to this agent', {
          type: frame.type,
        });
    }
  };

  const watch = async () => {
    await Promise.race([greeting.promise, clock.sleep(HELLO_DEADLINE_MS, over.signal)]);
    if (greeted === null) {
      breach(`expected a hello within ${HELLO_DEADLINE_MS} ms, found none`);
      return;
    }
    const dead = await liveness.watch(heartbeatMs(greeted), beat, over.signal);
    end(CLOSE.silence, unplanned(dead.pace, dead.message));
  };
  const beat = () => {
    link.answer('edgeflows.heartbeat', {});
    socket.ping();
  };

  const stop = () =>
    end(CLOSE.done, { pace: 'at_once', askedMs: 0, message: 'the agent closed it', planned: true });
  let broken: string | null = null;
  socket.on('message', (data, isBinary) => {
    if (decided !== null) return;
    liveness.heard();
    if (isBinary) {
      breach('expected text frames, found a binary one', CLOSE.binary);
      return;
    }
    try {
      // `nodebuffer`, the default of ws: one Buffer a message.
      take(readFrame((data as Buffer).toString('utf8')));
    } catch (error) {
      log.error('A frame of the console was not understood', { error });
      take({ kind: 'invalid', message: 'expected a frame to work with' });
    }
  });
  socket.on('pong', () => liveness.answered());
  socket.on('error', (error) => {
    broken = error.message;
    // Too large, no UTF-8, no WebSocket: ws has closed it itself.
    if ((error as NodeJS.ErrnoException).code?.startsWith('WS_ERR_') === true) healthy = false;
  });
  const closed = (code: number, reason: string) => {
    over.abort();
    signal.removeEventListener('abort', stop);
    commands.close();
    link.close();
    if (greeted !== null) peer.closed();
    resolve({ ...(decided ?? leaving ?? endedByConsole(code, reason, broken)), healthy });
  };
  socket.once('close', (code, reason) => closed(code, reason.toString('utf8')));
  if (socket.readyState === socket.CLOSED) {
    closed(1006, '');
    return promise;
  }
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  else {
    link.answer('edgeflows.hello', hello);
    watch().catch(() => {});
    socket.resume();
  }
  return promise;
}

function heartbeatMs({ heartbeat_ms: asked }: ConsoleHello): number {
  return Math.min(HEARTBEAT_MAX_MS, Math.max(HEARTBEAT_MIN_MS, asked));
}
