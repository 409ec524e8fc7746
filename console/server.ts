import type { AddressInfo } from 'node:net';
import { fastifyCookie } from '@fastify/cookie';
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { urlFault } from '../schemas/urls.ts';
import { createActions } from './actions/actions.ts';
import { createBuilderRuns } from './actions/builder-runs.ts';
import { createHandIn } from './actions/hand-in.ts';
import { createOnce } from './actions/once.ts';
import { createRunEndings } from './actions/run-ending.ts';
import { type ConsoleAdmin, createAdmin } from './admin.ts';
import { createArtifactFolder } from './artifact-folder.ts';
import { createBodyBudget } from './body-budget.ts';
import { createCallers } from './callers.ts';
import { createClientAddresses } from './client-address.ts';
import { compressAnswers } from './compressed-answers.ts';
import { createFleetPulse } from './fleet/pulse.ts';
import { createPushedReleases } from './fleet/pushed-releases.ts';
import { createGitBackend } from './git-backend.ts';
import { answerMalformed, commonAnswers, newRequestId } from './http-answers.ts';
import { createIdentityAlarms } from './identity-alarms.ts';
import { type ConsoleLimits, DEFAULT_LIMITS } from './limits.ts';
import { createLiveFeed, feedFromNotices, feedFromState } from './live/live-feed.ts';
import { createNotices, type Notices } from './notices.ts';
import { createOpenApi } from './openapi/document.ts';
import type { OperationDeclaration } from './openapi/operation.ts';
import { createEntry } from './people/entry.ts';
import { createKnownBrowsers } from './people/known-browser.ts';
import { createPasswords } from './people/passwords.ts';
import { createRefusedSignIns } from './people/refused-sign-ins.ts';
import { createSetupCode } from './people/setup-code.ts';
import { createSignInLimits } from './people/sign-in-limits.ts';
import { createRateLimit } from './rate-limit.ts';
import { RequestRefused } from './refusal.ts';
import { actionRoutes } from './routes/actions.ts';
import { artifactRoutes } from './routes/artifacts.ts';
import { branchRoutes } from './routes/branch-files.ts';
import { builderRoutes } from './routes/builder.ts';
import { commandRoutes } from './routes/commands.ts';
import { enrolRoute } from './routes/enrol.ts';
import { eventRoutes } from './routes/events.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { frontRoutes } from './routes/front.ts';
import { gitRoutes } from './routes/git.ts';
import { hookRoutes } from './routes/hooks.ts';
import { identityRoutes } from './routes/identity.ts';
import { keyRoutes } from './routes/keys.ts';
import { liveRoute } from './routes/live.ts';
import { openApiRoutes } from './routes/openapi.ts';
import { pageRoutes, tellPagesFromPrograms } from './routes/pages.ts';
import { peopleRoutes } from './routes/people.ts';
import { readRoutes } from './routes/read-api.ts';
import { releaseRoutes } from './routes/releases.ts';
import { reportRoutes } from './routes/reports.ts';
import { runLogRoutes } from './routes/run-logs.ts';
import { runRoutes } from './routes/runs.ts';
import { sessionRoutes } from './routes/session.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { tunnelRoute } from './routes/tunnel.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { type ConsoleClock, openState } from './state.ts';
import { createTunnelGateway } from './tunnel/gateway.ts';
import { acceptTunnelUpgrades, isTunnelUpgrade } from './tunnel/upgrade.ts';
import { consoleVersion } from './version.ts';

const PRUNE_EVERY_MS = 60 * 60_000;

export interface ConsoleOptions {
  readonly dataDirectory: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Origin that agents call, when it is not the one listened on (a proxy, a name). Tokens are bound to it. */
  readonly publicUrl?: string;
  /** PEM texts. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Whose `X-Forwarded-For` is believed: addresses, networks, `loopback`. */
  readonly trustedProxies?: readonly string[];
  /** Where the built pages are; without it, where the build puts them. Null: nowhere. */
  readonly pages?: () => string | null;
  readonly log: FastifyBaseLogger;
  readonly clock: ConsoleClock;
  readonly limits?: Partial<ConsoleLimits>;
}

export interface Console {
  /** Origin that agents call; known once it listens. */
  readonly url: string;
  readonly admin: ConsoleAdmin;
  readonly notices: Notices;
  /** Every address there is, as `GET /api/agents/:id`. */
  readonly routes: readonly string[];
  /** What they declare of themselves, by the same names. */
  readonly operations: ReadonlyMap<string, OperationDeclaration>;
  /**
   * Where the first person is made, with a new code in it; the address before is void. Null when there is somebody already. It
   * is good until it was used, or this process ends.
   */
  setupUrl(): Promise<string | null>;
  /** How many agents of a tenant have a tunnel now. */
  connected(tenant: string): number;
  listen(): Promise<string>;
  /**
   * Takes no more requests, lets those at work finish for a short while, then ends them, git and every connection. Nothing is
   * left behind when it resolves. Safe to call again.
   */
  close(): Promise<void>;
}

/** The SaaS side: one process, one data directory. Throws when the directory or the public URL cannot be used. */
export async function createConsole(options: ConsoleOptions): Promise<Console> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  if (options.publicUrl !== undefined) expectOrigin(options.publicUrl);
  const state = await openState(options.dataDirectory, options.clock, limits);
  const notices = createNotices((err) => options.log.error({ err }, 'a listener failed'));
  const alarms = createIdentityAlarms({ state, notices, log: options.log });
  const gateway = createTunnelGateway({ state, limits, notices, log: options.log, alarms });
  const feed = createLiveFeed(() => options.clock.now());
  feedFromNotices(feed, notices);
  feedFromState(feed, state);
  const pulse = createFleetPulse({ state, notices, feed, log: options.log });
  const admin = createAdmin(state, (agentId) => {
    gateway.revoked(new Set([agentId]));
    pulse.settle();
  });
  notices.push.subscribe(({ tenant, commit }) => gateway.nudge(tenant, commit));
  const closing = new AbortController();
  const pushed = createPushedReleases({
    repositories: state.repositories,
    releases: state.fleet.releases,
    now: () => options.clock.now(),
  });
  const notePush = async (tenant: string, commit: string) => {
    await pushed.note(tenant, commit, closing.signal);
    feed.happened({ tenant, flags: ['releases'] });
  };
  notices.push.subscribe(({ tenant, commit }) => {
    if (commit !== null) afterwards(notePush(tenant, commit));
  });
  const leaving = new AbortController();
  const backend = createGitBackend(state.repositories.root, limits);
  const callers = createCallers(state, limits, alarms, notices);
  const folder = createArtifactFolder(state.artifacts);
  const handIn = createHandIn({ state, limits, notices, gateway });
  const actions = createActions({ state, limits, gateway, admin, handIn });
  const builder = createBuilderRuns({ state, limits, gateway, handIn });
  const endings = createRunEndings({ state, notices, limits });
  const asking = createRateLimit({
    burst: limits.askBurst,
    perSecond: limits.askPerSecond,
    nowMs: () => options.clock.monotonicMs(),
  });
  const once = createOnce({
    store: state.repeatable,
    secrets: state.secrets,
    now: () => options.clock.now(),
    newId: state.newId,
    limits,
  });
  const budget = createBodyBudget(limits.bodiesInFlightBytes);

  const trusted = options.trustedProxies ?? [];
  const addresses = createClientAddresses(trusted);
  const app = Fastify({
    trustProxy: trusted.length === 0 ? false : (address: string) => addresses.trusts(address),
    loggerInstance: options.log,
    genReqId: newRequestId,
    requestIdHeader: false,
    frameworkErrors: answerMalformed,
    bodyLimit: limits.jsonBytes,
    forceCloseConnections: true,
    connectionTimeout: limits.idleConnectionMs,
    requestTimeout: limits.requestDeadlineMs,
    keepAliveTimeout: 5_000,
    routerOptions: { maxParamLength: 2_048 },
    ...(options.tls === undefined
      ? { http: { shouldUpgradeCallback: isTunnelUpgrade } }
      : { https: { ...options.tls, shouldUpgradeCallback: isTunnelUpgrade } }),
  }) as unknown as FastifyInstance;

  const routes: string[] = [];
  const openApi = createOpenApi({ version: consoleVersion(), publicUrl: () => state.publicUrl() });
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) {
      routes.push(`${each} ${url}`);
      openApi.noted(each, url, config?.operation);
    }
  });

  const background = new Set<Promise<void>>();
  const afterwards = (work: Promise<void>) => {
    const kept = work
      .catch((err: unknown) => {
        if (!closing.signal.aborted) options.log.error({ err }, 'work after a request failed');
      })
      .finally(() => background.delete(kept));
    background.add(kept);
  };

  const setupCode = createSetupCode();
  const isHttps = () => state.publicUrl().startsWith('https:');
  const entry = createEntry({
    people: state.peopleStore,
    sessions: state.sessions,
    passwords: createPasswords({ atOnce: limits.passwordsAtOnce, waiting: limits.passwordsWaiting }),
    known: createKnownBrowsers(state.secrets.knownBrowserKey, isHttps),
    limits: createSignInLimits(limits, () => options.clock.monotonicMs()),
    setupCode,
    refused: createRefusedSignIns({
      write: (told) => afterwards(state.audit.note(told, options.clock.now())),
      nowMs: () => options.clock.monotonicMs(),
    }),
    now: () => options.clock.now(),
    newId: state.newId,
  });

  let draining = false;
  const working = new Set<object>();
  app.addHook('onRequest', async (request, reply) => {
    if (draining) {
      throw new RequestRefused(503, 'closing', 'this console is closing; try again in a minute', {
        'retry-after': '60',
        connection: 'close',
      });
    }
    working.add(request);
    reply.raw.once('close', () => working.delete(request));
  });
  // What people/cookies.ts reads and writes them with is there once it is registered.
  void app.register(fastifyCookie);
  commonAnswers(app, { now: () => options.clock.now(), https: isHttps });
  tellPagesFromPrograms(app);
  compressAnswers(app);
  void app.register(pageRoutes({ folder: options.pages }));
  // What is answered was noted before: a restart must not let the same call in again.
  app.addHook('onSend', async (request) => callers.settled(request));
  void app.register(frontRoutes({ state, operations: openApi.declared }));
  void app.register(openApiRoutes(openApi));
  void app.register(branchRoutes({ state, callers, limits, closing: closing.signal }));
  void app.register(gitRoutes({ state, callers, backend, notices, closing: closing.signal, afterwards }));
  void app.register(artifactRoutes({ state, callers, folder, limits }));
  void app.register(enrolRoute({ state, callers, limits, notices }));
  void app.register(reportRoutes({ state, callers, limits, notices, budget, alarms }));
  void app.register(uploadRoutes({ state, callers, limits }));
  void app.register(identityRoutes({ state, callers, limits, admin }));
  void app.register(tokenRoutes({ state, callers, admin }));
  void app.register(sessionRoutes({ state, callers, entry }));
  void app.register(peopleRoutes({ state, callers }));
  void app.register(keyRoutes({ state, callers }));
  void app.register(fleetRoutes({ state, callers, gateway }));
  void app.register(
    liveRoute({ callers, limits, feed, now: () => options.clock.now(), leaving: leaving.signal }),
  );
  void app.register(eventRoutes({ state, callers }));
  void app.register(releaseRoutes({ state, callers, pushed, closing: closing.signal }));
  void app.register(readRoutes({ state, callers }));
  void app.register(commandRoutes({ state, callers, handIn, gateway }));
  void app.register(runRoutes({ state, callers }));
  void app.register(
    builderRoutes({ callers, limits, builder, endings, once, asking, gateway, leaving: leaving.signal }),
  );
  void app.register(actionRoutes({ state, callers, limits, actions, once, asking }));
  void app.register(runLogRoutes({ state, callers, limits, notices, leaving: leaving.signal }));
  void app.register(tunnelRoute());
  void app.register(hookRoutes({ state, callers, limits, notices, gateway, budget }));

  const upgrades = acceptTunnelUpgrades(app.server, {
    callers,
    gateway,
    log: options.log,
    now: () => options.clock.now(),
    addressOf: addresses.of,
  });

  // One that takes longer than an hour goes on, and the next one waits for its own time.
  let pruning: Promise<number> | undefined;
  const prune = async () => {
    pruning ??= state.prune(limits, closing.signal).finally(() => {
      pruning = undefined;
    });
    await pruning;
  };
  let upkeep: NodeJS.Timeout | undefined;
  const close = async () => {
    draining = true;
    leaving.abort(new Error('the console is closing'));
    clearInterval(upkeep);
    upgrades.close();
    await gateway.leave(limits.closeGraceMs);
    const until = performance.now() + limits.closeGraceMs;
    while (working.size > 0 && performance.now() < until) await new Promise((wake) => setTimeout(wake, 10));
    closing.abort(new Error('the console is closing'));
    await backend.close();
    await Promise.all(background);
    await app.close();
    feed.close();
    await pulse.close();
    await state.close();
  };
  let closed: Promise<void> | undefined;

  return {
    admin,
    notices,
    routes,
    operations: openApi.declared,
    setupUrl: async () =>
      (await state.peopleStore.awaitsFirst()) ? `${state.publicUrl()}/setup#${setupCode.renew()}` : null,
    connected: (tenant) => gateway.connected(tenant),
    get url() {
      return state.publicUrl();
    },
    async listen() {
      await app.listen({ host: options.host, port: options.port }).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'EADDRINUSE') throw cause;
        const message = `expected port ${options.port} of ${options.host} to be free, found it in use; choose another port`;
        throw new Error(message, { cause });
      });
      const { port } = app.server.address() as AddressInfo;
      const scheme = options.tls === undefined ? 'http' : 'https';
      await state.setPublicUrl(
        options.publicUrl ?? new URL(`${scheme}://${hostInUrl(options.host)}:${port}`).origin,
      );
      await prune();
      await pulse.start();
      afterwards(
        pushed.noteTips(
          (await state.tenants.list()).map(({ slug }) => slug),
          closing.signal,
        ),
      );
      gateway.start();
      upkeep = setInterval(() => afterwards(prune()), PRUNE_EVERY_MS).unref();
      return state.publicUrl();
    },
    close: () => (closed ??= close()),
  };
}

function expectOrigin(url: string): void {
  const fault = urlFault(url);
  if (fault !== null) throw new Error(`publicUrl: ${fault}`);
  if (new URL(url).origin !== url) {
    throw new Error(
      `publicUrl: expected an origin such as https://console.example, without a path, found ${url}`,
    );
  }
}

function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
