import type { IncomingHttpHeaders } from 'node:http';
import type { PublicJwk } from '../schemas/jws.ts';
import { type RequestClaims, verifyRequestToken } from '../trust/request-token.ts';
import { thumbprint } from '../trust/thumbprint.ts';
import { isRetired, retiredKeyRefusal } from './device-keys.ts';
import { revokedRefusal } from './enrolment.ts';
import type { IdentityAlarms } from './identity-alarms.ts';
import type { ConsoleLimits } from './limits.ts';
import type { Notices } from './notices.ts';
import type { Actor } from './people/actor.ts';
import { createActors } from './people/actors.ts';
import type { OpenSession } from './people/sessions.ts';
import { createRateLimit } from './rate-limit.ts';
import { RequestRefused } from './refusal.ts';
import type { ConsoleState } from './state.ts';
import type { Agent } from './store/ports/agents.ts';
import type { FormerKey } from './store/ports/device-keys.ts';
import type { Sighting } from './store/ports/identities.ts';
import type { Tenant } from './store/ports/tenants.ts';
import { webSocketOrigin } from './tunnel/address.ts';

/** What tells who calls: a request of Fastify's, or one that asks for an upgrade. */
export interface IncomingCall {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly ip: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Who calls, and whether they may. Every function throws `RequestRefused`: 401 when the credentials are missing or not
 * believed, 403 when they are somebody's who may not do this, 429 when there were too many.
 */
export interface Callers {
  /** No credentials asked; calls are limited by address. */
  stranger(request: IncomingCall): void;
  /** git over HTTP. Returns what git may call the caller. */
  git(request: IncomingCall, slug: string, right: 'read' | 'publish'): Promise<string>;
  publisher(request: IncomingCall, slug: string): Promise<void>;
  /** Reads the tenant's branch over HTTP: a git token, the publisher's, or a device JWT. */
  reader(request: IncomingCall, slug: string): Promise<void>;
  /** The agent whose device key signed this very request. */
  device(request: IncomingCall): Promise<Agent>;
  /** The same, with the thumbprint of the key that did, which may be the one before the key in force, and of the one it lets follow. */
  keyHolder(request: IncomingCall): Promise<KeyHolder>;
  /** The same for an upgrade to a WebSocket, whose URL the token may spell ws(s) or http(s). */
  tunnel(request: IncomingCall): Promise<Agent>;
  /** This very request was signed by `jwk`, as its own issuer (enrolment). */
  possession(request: IncomingCall, jwk: PublicJwk): Promise<void>;
  /**
   * Who asks at `/api` and `/flows`: by an `X-Api-Key` or a session, whose writes have to come from pages of ours. What they may
   * do is decided by `allow` and `scopeOf` (people/actor.ts). Asked again for the same request it answers the same.
   */
  actor(request: IncomingCall): Promise<Actor>;
  /** The session of a person; 401 for all others. */
  session(request: IncomingCall): Promise<OpenSession>;
  /** What this person or key may do has changed, or is over: streams of theirs end. */
  ended(actorId: string): void;
  /** Whether an actor's credentials are still in force and may still do the same: for streams, which outlive the request. */
  stands(actor: Actor): Promise<boolean>;
  /**
   * Resolves when what was noted of this call (its id, which may not come again; that the agent was heard) is on the disk.
   * Every call is answered after it, whatever the answer: see the hook in `server.ts`.
   */
  settled(request: IncomingCall): Promise<void>;
}

interface KeyHolder {
  readonly agent: Agent;
  readonly thumbprint: string;
  readonly next: string | null;
}

type TokenHolder =
  | { readonly kind: 'reader'; readonly agent: Agent }
  | { readonly kind: 'publisher'; readonly tenant: Tenant };

/** `last_seen_at` is no finer than this: it would cost every call a write to disk. */
const SEEN_EVERY_MS = 10_000;

const ASK_BASIC = { 'www-authenticate': 'Basic realm="edge-agent console", charset="UTF-8"' };
const ASK_BEARER = { 'www-authenticate': 'Bearer realm="edge-agent console"' };

export function createCallers(
  state: ConsoleState,
  limits: ConsoleLimits,
  alarms: IdentityAlarms,
  { access }: Pick<Notices, 'access'>,
): Callers {
  const nowMs = () => state.clock.monotonicMs();
  const strangers = createRateLimit({
    burst: limits.strangerBurst,
    perSecond: limits.strangerPerSecond,
    nowMs,
  });
  const agents = createRateLimit({ burst: limits.agentBurst, perSecond: limits.agentPerSecond, nowMs });

  /** Guessing is limited by address; those whose credentials are right never notice. */
  const disbelieve = (request: Pick<IncomingCall, 'ip'>, refusal: RequestRefused): never => {
    strangers.take(request.ip);
    throw refusal;
  };

  const { apiKeys, sessions, publicUrl } = state;
  const actors = createActors({ apiKeys, sessions, publicUrl, disbelieve });
  /** A hook asks before the body is read, and the route again. */
  const known = new WeakMap<IncomingCall, Promise<Actor>>();

  /** What was noted of calls that have not been answered. */
  const noted = new WeakMap<IncomingCall, Promise<unknown>[]>();
  const note = (request: IncomingCall, work: Promise<unknown>): void => {
    // Heard by `settled`; the caller of one that is given up before has gone.
    work.catch(() => {});
    const works = noted.get(request);
    if (works === undefined) noted.set(request, [work]);
    else works.push(work);
  };
  const settled = async (request: IncomingCall): Promise<void> => {
    for (let works = noted.get(request); works !== undefined; works = noted.get(request)) {
      noted.delete(request);
      await Promise.all(works);
    }
  };

  const holder = async (request: IncomingCall): Promise<TokenHolder> => {
    const token = gitTokenOf(request);
    if (token === null) {
      throw new RequestRefused(
        401,
        'credentials_missing',
        'expected a git token as the password, found none',
        ASK_BASIC,
      );
    }
    const agent = await state.agents.byGitToken(token);
    if (agent !== null && agent.revoked_at === null) return { kind: 'reader', agent };
    const tenant = await state.tenants.byPublisherToken(token);
    if (tenant !== null) return { kind: 'publisher', tenant };
    const message =
      'expected a git token that is in force, found one that is unknown or revoked; enrol again';
    return disbelieve(request, new RequestRefused(401, 'credentials_refused', message, ASK_BASIC));
  };

  const git = async (request: IncomingCall, slug: string, right: 'read' | 'publish'): Promise<string> => {
    const found = await holder(request);
    expectTenant(found.kind === 'reader' ? found.agent.tenant : found.tenant.slug, slug);
    if (right === 'publish' && found.kind === 'reader') {
      const message = `expected the publisher token of ${slug}, found the token of an agent, which may only read`;
      throw new RequestRefused(403, 'read_only', message);
    }
    return found.kind === 'reader' ? found.agent.agent_id : 'publisher';
  };

  const verify = async (
    request: IncomingCall,
    /** The keys the issuer may have signed with, one after the other; null when there is no such one. */
    keyAt: (issuer: string, place: number) => Promise<PublicJwk | null>,
    onVerified: (issuer: string) => void,
    origins: readonly [string, ...string[]] = [state.publicUrl()],
  ): Promise<{ claims: RequestClaims; jwk: PublicJwk }> => {
    const token = bearerOf(request);
    if (token === null) {
      const message = 'expected Authorization: Bearer <JWT signed by the device key>, found none';
      throw new RequestRefused(401, 'credentials_missing', message, ASK_BEARER);
    }
    const now = state.clock.now();
    let issuer = '';
    let key: PublicJwk | null = null;
    const verifyAt = async (origin: string, place: number) =>
      verifyRequestToken({
        token,
        method: request.method,
        url: origin + request.url,
        now,
        findKey: async (iss) => {
          issuer = iss;
          key = await keyAt(iss, place);
          return key;
        },
        takeOnce: async (iss, jti, expires) => {
          onVerified(iss);
          const { isNew, kept } = await state.replays.takeOnce(
            iss,
            jti,
            Math.ceil(expires.getTime() / 1_000),
          );
          note(request, kept);
          return isNew;
        },
      });
    const [first, ...others] = origins;
    let place = 0;
    let verdict = await verifyAt(first, place);
    while (verdict.kind === 'refused' && verdict.code === 'signature_invalid') {
      if ((await keyAt(issuer, place + 1)) === null) break;
      place += 1;
      verdict = await verifyAt(first, place);
    }
    for (const origin of others) {
      if (verdict.kind === 'verified' || verdict.code !== 'audience_mismatch') break;
      verdict = await verifyAt(origin, place);
    }
    if (verdict.kind === 'refused') {
      return disbelieve(request, new RequestRefused(401, verdict.code, verdict.message, ASK_BEARER));
    }
    return { claims: verdict.claims, jwk: key as unknown as PublicJwk };
  };

  /** Tells a copy of a machine from the machine: by its former keys, and by who speaks in turn with it. */
  const expectOneHolder = async (
    request: IncomingCall,
    agent: Agent,
    former: readonly FormerKey[],
    { claims, jwk }: { claims: RequestClaims; jwk: PublicJwk },
  ): Promise<string> => {
    const now = state.clock.now();
    const signer = thumbprint(jwk);
    const key = former.find((each) => each.thumbprint === signer);
    if (key === undefined) {
      note(request, state.deviceKeys.confirmed(agent.agent_id, signer, now, limits.keyOverlapMs));
    } else if (isRetired(key, now)) {
      await alarms.retiredKey(agent, key, request.ip);
      return disbelieve(request, retiredKeyRefusal(agent.agent_id, key.replaced_at, ASK_BEARER));
    }
    const { boot, machine = null, host = null, os = null, iat } = claims;
    if (boot === undefined) return signer;
    const sighting = { boot, machine, hostname: host, os, address: request.ip, at: new Date(iat * 1_000) };
    note(request, sighted(agent, sighting));
    return signer;
  };

  const sighted = async (agent: Agent, sighting: Sighting): Promise<void> => {
    if (await state.identities.note(agent.agent_id, sighting)) await alarms.conflict(agent);
  };

  const keyHolder = async (
    request: IncomingCall,
    origins?: readonly [string, ...string[]],
  ): Promise<KeyHolder> => {
    let agent: Agent | null = null;
    let former: readonly FormerKey[] | null = null;
    const verified = await verify(
      request,
      async (issuer, place) => {
        agent ??= await state.agents.get(issuer);
        if (agent === null) return null;
        if (place === 0) return agent.device_jwk;
        former ??= await state.deviceKeys.former(issuer);
        return former[place - 1]?.jwk ?? null;
      },
      (issuer) => agents.take(issuer),
      origins,
    );
    const found = agent as Agent | null;
    if (found === null) throw new Error('expected a verified token to have an agent');
    if (found.revoked_at !== null) throw revokedRefusal(found);
    const signer = await expectOneHolder(request, found, former ?? [], verified);
    const now = state.clock.now();
    if (now.getTime() - Date.parse(found.last_seen_at ?? '1970-01-01') > SEEN_EVERY_MS) {
      note(request, state.agents.seen(found.agent_id, now));
    }
    return { agent: found, thumbprint: signer, next: verified.claims.next ?? null };
  };
  const device = async (request: IncomingCall, origins?: readonly [string, ...string[]]) =>
    (await keyHolder(request, origins)).agent;

  return {
    stranger: (request) => strangers.take(request.ip),
    git,
    device: async (request) => device(request),
    async keyHolder(request) {
      const holder = await keyHolder(request);
      await settled(request);
      return holder;
    },
    async tunnel(request) {
      const agent = await device(request, [state.publicUrl(), webSocketOrigin(state.publicUrl())]);
      await settled(request);
      return agent;
    },
    async publisher(request, slug) {
      await git(request, slug, 'publish');
    },
    async reader(request, slug) {
      // A JWT has two dots, a git token none.
      if (bearerOf(request)?.includes('.') === true) expectTenant((await device(request)).tenant, slug);
      else await git(request, slug, 'read');
    },
    async possession(request, jwk) {
      const own = thumbprint(jwk);
      await verify(
        request,
        async (issuer, place) => (issuer === own && place === 0 ? jwk : null),
        () => {},
      );
    },
    async actor(request) {
      const found = known.get(request) ?? actors.actor(request);
      known.set(request, found);
      return found;
    },
    session: async (request) => actors.session(request),
    ended: (actorId) => access.publish({ actor_id: actorId }),
    stands: async (actor) => actors.stands(actor),
    settled,
  };
}

/** A tenant that does not exist and one that is another's are answered alike. */
function expectTenant(own: string, asked: string): void {
  if (own === asked) return;
  throw new RequestRefused(
    403,
    'not_yours',
    `expected credentials of tenant ${asked}, found those of ${own}`,
  );
}

/** The token is the password; or the user name, when there is no password (git clients differ); or a bearer token. */
function gitTokenOf(request: IncomingCall): string | null {
  const basic = /^Basic +([A-Za-z0-9+/=_-]{1,2048})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (basic === undefined) return bearerOf(request);
  const pair = Buffer.from(basic, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return pair;
  const password = pair.slice(colon + 1);
  return password === '' || password === 'x-oauth-basic' ? pair.slice(0, colon) : password;
}

function bearerOf(request: IncomingCall): string | null {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}
