import { cleanUpIsDue } from '../reconciler/clean-up-time.ts';
import { createReconcileLoop } from '../reconciler/loop.ts';
import { watchConfigFile } from '../sources/config-watch.ts';
import { createSystemClock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { checkMachine } from './machine-checks.ts';
import { type OpenAgent, type OpenOptions, openAgent } from './open.ts';
import { agentPaths } from './paths.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** After the first reconcile, so that being Ready does not wait for gigabytes to be hashed. */
const FIRST_DEEP_CHECK_MS = 5_000;

export interface DaemonOptions extends Omit<OpenOptions, 'daemon' | 'verb'> {
  /** Aborts when runs are not to be waited for any more. */
  readonly hurry: AbortSignal;
}

/** `edge-agent run`: until the signal aborts. Runs under way are let finish (their own timeouts bound it), or ended by `hurry`. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  for (;;) {
    const agent = await openAgent({ ...options, daemon: true, verb: 'run' });
    try {
      if ((await liveOn(agent, options)) === 'ended') return;
      options.log.info('starting anew with the new agent.yaml');
    } finally {
      await agent.close();
    }
  }
}

async function liveOn(agent: OpenAgent, options: DaemonOptions): Promise<'ended' | 'restart'> {
  const { log } = options;
  const clock = createSystemClock();
  const restart = new AbortController();
  const signal = AbortSignal.any([options.signal, restart.signal]);
  const deps = agent.deps();
  let busy = false;
  const loop = createReconcileLoop({
    clock,
    async reconcile(given) {
      busy = true;
      try {
        return await agent.reconcile(given);
      } finally {
        busy = false;
      }
    },
    async peek(peekSignal) {
      const seen = await agent.deps().source.observe(peekSignal);
      return seen.kind === 'found' ? seen.revision : null;
    },
    underWay: () => (busy ? agent.records.source().desired_revision : null),
    intervalMs: () => agent.settings().intervalMs,
    onPreempted(from, to) {
      const message = `${to} takes over from ${from}, which was under way`;
      deps.events.emit({ severity: 'info', reason: 'ReconcilePreempted', message, revision: to });
    },
    onCrash(error) {
      log.error('a reconcile ended in an error of the agent; it goes on', { error });
    },
  });
  agent.attachLoop(loop);
  await watchConfigFile(options.configFile, {
    signal,
    known: agent.loaded.digest,
    onChange(loaded) {
      log.info('agent.yaml changed', { digest: loaded.digest });
      if (agent.reconfigure(loaded, agentPaths(loaded.config, options.configFile))) loop.nudge();
      else restart.abort(new Error('agent.yaml names another tenant or other folders'));
    },
    onInvalid(outcome) {
      log.error('agent.yaml is wrong; the last good one stays in force', { problems: outcome.text });
      agent.configFailed(outcome.text);
    },
  });
  const { tenant } = agent.loaded.config;
  const about = { tenant, state: agent.paths.state };
  log.info('edge-agent is running', about);
  const { warnings } = await checkMachine(agent.loaded.config, agent.paths);
  for (const warning of warnings) log.warn(warning);
  deps.events.emit({
    severity: 'info',
    reason: 'AgentStarted',
    message: `edge-agent ${agent.settings().agentVersion} is running`,
  });
  // without the network too: what is active runs
  agent.applyServices();
  agent.inbox.start();
  await Promise.allSettled([
    loop.run(signal),
    agent.outbox.deliver(signal),
    agent.tunnel.run(signal),
    agent.schedules.run(signal),
    upkeep(agent, loop, clock, log, signal),
  ]);
  const { running } = agent.dispatcher.counts();
  if (running > 0) log.info(`waiting for ${running} runs; a second signal ends them`, about);
  if (options.hurry.aborted) agent.dispatcher.cancelRunning();
  options.hurry.addEventListener('abort', () => agent.dispatcher.cancelRunning(), { once: true });
  await agent.inbox.close();
  await Promise.all([agent.dispatcher.drain(), agent.services.close()]);
  deps.events.emit({ severity: 'info', reason: 'AgentStopped', message: 'edge-agent has stopped' });
  await agent.outbox.flushOnce({ deadlineMs: 2_000 }).catch((error: unknown) => {
    log.warn('the last reports wait for the next start', { error });
  });
  return options.signal.aborted ? 'ended' : 'restart';
}

/** The weekly clean-up and the daily check of what is on disk. */
async function upkeep(
  agent: OpenAgent,
  loop: { nudge(): void },
  clock: ReturnType<typeof createSystemClock>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let deepAt = clock.monotonicMs() + FIRST_DEEP_CHECK_MS;
  if (agent.records.lastCleanUp() === null) agent.records.setLastCleanUp(clock.now());
  while (!signal.aborted) {
    const untilMinute = MINUTE_MS - (clock.now().getTime() % MINUTE_MS);
    const untilDeep = Math.max(0, deepAt - clock.monotonicMs());
    await clock.sleep(Math.min(untilMinute, untilDeep), signal).catch(() => undefined);
    if (signal.aborted) return;
    if (clock.monotonicMs() >= deepAt) {
      deepAt = clock.monotonicMs() + DAY_MS;
      agent.requestDeepCheck();
      loop.nudge();
    }
    const { retention, timezone } = agent.settings();
    const last = agent.records.lastCleanUp() ?? clock.now();
    if (!cleanUpIsDue(retention.schedule, timezone, last, clock.now())) continue;
    try {
      await agent.housekeeping.collectGarbage(false, signal);
    } catch (error) {
      if (!signal.aborted) log.error('the clean-up failed; it is tried again at its next time', { error });
      agent.records.setLastCleanUp(clock.now());
    }
  }
}
