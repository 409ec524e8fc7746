import { createReconcileLoop } from '../reconciler/loop.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { watchConfigFile } from '../sources/config-watch.ts';
import { createSystemClock } from '../system/clock.ts';
import { keepPart } from './daemon-part.ts';
import { checkMachine } from './machine-checks.ts';
import { type OpenAgent, type OpenOptions, openAgent } from './open.ts';
import { agentPaths } from './paths.ts';
import { upkeep } from './upkeep.ts';

export interface DaemonOptions extends Omit<OpenOptions, 'daemon' | 'verb'> {
  /** Aborts when runs are not to be waited for any more. */
  readonly hurry: AbortSignal;
  /** It is at work: said once, not again when it starts anew with another agent.yaml. */
  readonly onRunning?: (config: AgentConfig) => void;
}

/** `edge-agent run`: until the signal aborts. Runs under way are let finish (their own timeouts bound it), or ended by `hurry`. Why it ended. */
export async function runDaemon(options: DaemonOptions): Promise<string> {
  let told = false;
  for (;;) {
    const agent = await openAgent({ ...options, daemon: true, verb: 'run' });
    try {
      if (!told) options.onRunning?.(agent.loaded.config);
      told = true;
      const ended = await liveOn(agent, options);
      if (ended !== null) return ended;
      options.log.info('starting anew with the new agent.yaml');
    } finally {
      await agent.close();
    }
  }
}

/** Why it ended; null: it is to start anew. */
async function liveOn(agent: OpenAgent, options: DaemonOptions): Promise<string | null> {
  const { log } = options;
  const clock = createSystemClock();
  const restart = new AbortController();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, restart.signal, stop.signal]);
  agent.attachStop((why) => {
    log.info(`ending: ${why}`);
    stop.abort(new Error(why));
  });
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
  await agent.identity.noteMachine();
  // without the network too: what is active runs
  agent.applyServices();
  agent.inbox.start();
  const housekeeping = {
    records: agent.records,
    settings: agent.settings,
    collectGarbage: (until: AbortSignal) => agent.housekeeping.collectGarbage(false, until),
    checkDeep() {
      agent.requestDeepCheck();
      loop.nudge();
    },
    clock,
    log,
  };
  const part = (name: string, run: (until: AbortSignal) => Promise<void>) =>
    keepPart(name, run, { clock, log, signal });
  await Promise.all([
    part('reconciling', (until) => loop.run(until)),
    part('the outbox', (until) => agent.outbox.deliver(until)),
    part('the tunnel', (until) => agent.tunnel.run(until)),
    part('the device key', (until) => agent.identity.keys.run(until)),
    part('the schedules', (until) => agent.schedules.run(until)),
    part('the clean-up', (until) => upkeep(housekeeping, until)),
  ]);
  const { running } = agent.dispatcher.counts();
  if (running > 0) log.info(`waiting for ${running} runs; a second signal ends them`, about);
  if (options.hurry.aborted || stop.signal.aborted) agent.dispatcher.cancelRunning();
  options.hurry.addEventListener('abort', () => agent.dispatcher.cancelRunning(), { once: true });
  await agent.inbox.close();
  await Promise.all([agent.dispatcher.drain(), agent.services.close()]);
  deps.events.emit({ severity: 'info', reason: 'AgentStopped', message: 'edge-agent has stopped' });
  await agent.outbox.flushOnce({ deadlineMs: 2_000 }).catch((error: unknown) => {
    log.warn('the last reports wait for the next start', { error });
  });
  for (const { aborted, reason } of [options.signal, stop.signal]) {
    if (aborted) return reason instanceof Error ? reason.message : String(reason);
  }
  return null;
}
