import type { FlowState } from '../../schemas/agent-state.ts';
import { DONE, type FlowStep, type FlowWork, type ReconcileContext, type StepResult } from '../context.ts';
import type { Executor, RunResult } from '../ports.ts';
import { rollBack } from '../roll-back.ts';
import { traceparent } from '../traceparent.ts';

/** Runs the flow's own check after activation; a failure puts the previous version back (design.md, step 9). */
export const health: FlowStep = {
  name: 'health',
  phase: 'checking',
  async run(context, work): Promise<StepResult> {
    const { spec, version, revision } = work;
    const at = { flow: spec.id, version, revision };
    if (spec.health === null) {
      setHealth(context, spec.id, 'healthy');
      return { kind: 'skip', because: 'it declares no health check' };
    }
    const { result, started } = await check(context, work, spec.health);
    if (!started) {
      // this machine could not start it: that says nothing about the version, and is looked at again
      const message = `flow ${spec.id}: the health of ${version} could not be checked: ${result.reason}`;
      context.events.emit({ severity: 'error', reason: 'FlowStalled', message, ...at });
      return { kind: 'stalled', code: 'health_failed', message };
    }
    if (result.status === 'succeeded') {
      setHealth(context, spec.id, 'healthy');
      context.events.emit({
        severity: 'info',
        reason: 'HealthPassed',
        message: `flow ${spec.id}: healthy`,
        ...at,
      });
      return DONE;
    }
    const said = new TextDecoder().decode(result.stderr.subarray(-500)).trim();
    const why = `the health check ${result.status}: ${result.reason ?? 'no reason given'}${said === '' ? '' : ` (${said})`}`;
    context.events.emit({
      severity: 'error',
      reason: 'HealthFailed',
      message: `flow ${spec.id}: ${why}`,
      ...at,
    });
    return context.settings().rollbackOn === 'never'
      ? unhealthy(context, work, why)
      : goBack(context, work, why);
  },
};

async function check(
  context: ReconcileContext,
  work: FlowWork,
  health: { args: string[]; timeout: number },
): Promise<{ result: RunResult; started: boolean }> {
  const { spec } = work;
  const runId = `health-${context.chance.uuidv7()}`;
  const known = await context.secrets();
  const secrets = Object.fromEntries(
    spec.secrets.flatMap((name) => (known[name] === undefined ? [] : [[name, known[name]]])),
  );
  const executor = context.executors.get(spec.runtime) as Executor;
  const handle = await executor.start(
    {
      spec,
      directory: context.store.absolute(work.path),
      entrypoint: work.entrypoint as string,
      runId,
      attempt: 1,
      tenant: context.settings().tenant,
      version: work.version,
      runDirectory: context.runDirectory(runId, 1),
      input: {},
      timeoutMs: health.timeout,
      secrets,
      args: health.args,
      traceparent: traceparent(context.chance),
    },
    context.settings().runs,
  );
  const stop = () => handle.cancel();
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    return { result: await handle.done, started: handle.process !== null };
  } finally {
    context.signal.removeEventListener('abort', stop);
  }
}

function setHealth(context: ReconcileContext, flow: string, value: FlowState['health']): void {
  const state = context.records.flow(flow);
  if (state !== null && state.health !== value) context.records.saveFlow(flow, { ...state, health: value });
}

function unhealthy(context: ReconcileContext, work: FlowWork, why: string): StepResult {
  setHealth(context, work.spec.id, 'unhealthy');
  return {
    kind: 'stalled',
    code: 'health_failed',
    message: `flow ${work.spec.id}: ${work.version} stays active: ${why}`,
  };
}

async function goBack(context: ReconcileContext, work: FlowWork, why: string): Promise<StepResult> {
  const { spec, version, revision, seq } = work;
  const bad = { flow: spec.id, version, sha256: spec.sha256, revision, did: 'failed its health check', why };
  const result = await rollBack(context, bad, { now: context.now, seq, withoutPrevious: 'deactivate' });
  return result.kind === 'rolled_back' ? result.setback : unhealthy(context, work, why);
}
