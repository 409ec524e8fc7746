import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { Clock } from '../../reconciler/ports.ts';
import { TUNNEL_FRAME_MAX_BYTES } from '../../schemas/tunnel-frame.ts';
import type { UpgradeRoute } from '../../system/http-client.ts';
import type { Pace } from './reconnect.ts';
import { shownTunnelUrl } from './tunnel-url.ts';
import { CLOSE_DEADLINE_MS, UPGRADE_DEADLINE_MS } from './websocket-limits.ts';

const SUBPROTOCOL = 'cloudevents.json';

export interface UpgradeDeps {
  /** `Bearer <JWT>` for one call; null when this agent is not enrolled. */
  authorize(method: 'GET', url: URL): Promise<string | null>;
  /** How the network is reached; throws when agent.yaml names a wrong CA file or proxy. */
  route(url: URL): UpgradeRoute;
  readonly clock: Clock;
}

export interface UpgradeOptions {
  /** http(s) form. */
  readonly url: URL;
  readonly userAgent: string;
}

/** `opened`: paused, so that nothing is lost before somebody listens. `clockOffsetMs`: what the answer's `Date` says, if it says. */
export type Upgrade =
  | { readonly kind: 'opened'; readonly socket: WebSocket; readonly clockOffsetMs: number | null }
  | {
      readonly kind: 'failed';
      readonly pace: Pace;
      readonly askedMs: number;
      readonly message: string;
      /** 401 or 403. */
      readonly unbelieved: boolean;
      readonly clockOffsetMs: number | null;
    };

/**
 * `GET /edge/tunnel` with an upgrade (RFC 6455; contract, section 8). No redirect is followed, so the credentials go nowhere
 * else. Rejects with the signal's reason when it aborts, and never for what the other side does.
 */
export async function upgrade(
  deps: UpgradeDeps,
  options: UpgradeOptions,
  signal: AbortSignal,
): Promise<Upgrade> {
  const { url } = options;
  const shown = shownTunnelUrl(url);
  let authorization: string | null;
  let route: UpgradeRoute;
  try {
    route = deps.route(url);
    authorization = await deps.authorize('GET', url);
  } catch (error) {
    return failed('backoff', error instanceof Error ? error.message : String(error));
  }
  if (authorization === null) {
    const message = `${shown}: expected an enrolled agent, found no agent_id or no device key; run edge-agent enroll`;
    return failed('slow', message);
  }
  // Loaded here: an agent without a tunnel has no use for it.
  const { WebSocket: Socket } = await import('ws');
  signal.throwIfAborted();

  const socket = new Socket(url, SUBPROTOCOL, {
    agent: route.agent,
    headers: { authorization, 'user-agent': options.userAgent },
    followRedirects: false,
    perMessageDeflate: false,
    maxPayload: TUNNEL_FRAME_MAX_BYTES,
    maxFragments: 1_024,
    rejectUnauthorized: true,
    ...CLOSING,
  });
  const waiting = new AbortController();
  const giveUp = () => waiting.abort(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  let clockOffsetMs: number | null = null;
  try {
    return await new Promise<Upgrade>((resolve, reject) => {
      socket.once('upgrade', (answer) => {
        clockOffsetMs = route.answered(answer.headers.date);
      });
      socket.once('open', () => {
        socket.pause();
        resolve({ kind: 'opened', socket, clockOffsetMs });
      });
      socket.once('unexpected-response', (_request, answer) => {
        resolve(refusal(shown, url, answer, route.answered(answer.headers.date)));
      });
      // Stays for the life of the socket: what comes after the upgrade is told by `close`.
      socket.on('error', (error) => resolve(failed('backoff', route.explain(error).message)));
      deps.clock.sleep(UPGRADE_DEADLINE_MS, waiting.signal).then(
        () =>
          resolve(
            failed('backoff', `${shown}: expected an answer within ${UPGRADE_DEADLINE_MS} ms, found none`),
          ),
        () => {
          if (signal.aborted) reject(signal.reason as Error);
        },
      );
    }).then((outcome) => {
      if (outcome.kind === 'failed') socket.terminate();
      return outcome;
    });
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
    waiting.abort();
  }
}

/** An option of ws that its types do not know yet. */
const CLOSING: object = { closeTimeout: CLOSE_DEADLINE_MS };

function failed(pace: Pace, message: string): Upgrade {
  return { kind: 'failed', pace, askedMs: 0, message, unbelieved: false, clockOffsetMs: null };
}

/** An answer that is no upgrade: whether waiting helps, or a person. */
function refusal(shown: string, url: URL, answer: IncomingMessage, clockOffsetMs: number | null): Upgrade {
  const status = answer.statusCode as number;
  const found = `${shown}: expected 101 Switching Protocols, found ${status}`;
  const unbelieved = status === 401 || status === 403;
  const refused = (pace: Pace, message: string): Upgrade => ({
    kind: 'failed',
    pace,
    askedMs: Math.max(0, Number(answer.headers['retry-after'] ?? 0) * 1_000) || 0,
    message,
    unbelieved,
    clockOffsetMs,
  });
  if (unbelieved) {
    return refused(
      'slow',
      `${found}: the console does not believe this agent's key; check that it still knows the agent, or enrol it again with edge-agent enroll`,
    );
  }
  if (status >= 300 && status < 400) {
    const { location = '' } = answer.headers;
    const to = URL.canParse(location, url) ? new URL(location, url).origin : 'no URL';
    return refused(
      'slow',
      `${found} to ${to}; no redirect is followed with credentials: write the address itself as tunnel.url`,
    );
  }
  if (status >= 500 || status === 408 || status === 425 || status === 429) return refused('backoff', found);
  return refused(
    'slow',
    `${found}; check tunnel.url or saas_url, and that a proxy in between lets WebSockets through`,
  );
}
