import type { FlowState } from '../../schemas/agent-state.ts';
import { DONE, type FlowStep, type FlowWork, type ReconcileContext, type StepResult } from '../context.ts';
import type { Executor, RunResult } from '../ports.ts';
import { rollBack } from '../roll-back.ts';
import { traceparent } from '../traceparent.ts';

/**
 * Runs the flow's own check after activation, then puts a service in the place of the one before it; a failure of either puts
 * the previous version back (design.md, step 9).
 */
export const health: FlowStep = {
  name: 'health',
  phase: 'checking',
  async run(context, work): Promise<StepResult> {
    const { spec } = work;
    const service = spec.runtime === 'service';
    if (service && context.services?.keeps !== true) {
      return { kind: 'skip', because: 'a running agent keeps services, and looks at its health then' };
    }
    const checked = spec.health === null ? null : await ownCheck(context, work, spec.health);
    if (checked !== null && checked.kind !== 'done') return checked;
    const kept = service ? await keepService(context, work) : null;
    if (kept !== null && kept.kind !== 'done') return kept;
    setHealth(context, spec.id, 'healthy');
    return checked ?? kept ?? { kind: 'skip', because: 'it declares no health check' };
  },
};

async function ownCheck(
  context: ReconcileContext,
  work: FlowWork,
  declared: { args: string[]; timeout: number },
): Promise<StepResult> {
  const { spec } = work;
  const { result, started } = await check(context, work, declared);
  if (!started) return unchecked(context, work, result.reason ?? 'no reason given');
  if (result.status === 'succeeded') {
    const message = `flow ${spec.id}: healthy`;
    context.events.emit({ severity: 'info', reason: 'HealthPassed', message, ...at(work) });
    return DONE;
  }
  const said = new TextDecoder().decode(result.stderr.subarray(-500)).trim();
  const why = `the health check ${result.status}: ${result.reason ?? 'no reason given'}${said === '' ? '' : ` (${said})`}`;
  return failed(context, work, why);
}

/** The service of this version beside the one that runs, and in its place once it is ready. */
async function keepService(context: ReconcileContext, work: FlowWork): Promise<StepResult> {
  const { spec, version, path, revision } = work;
  // files that were put back in place are other files
  const again = work.actions.some(({ step, flow }) => step === 'unpack' && flow === spec.id);
  const directory = context.store.absolute(path);
  const entrypoint = work.entrypoint as string;
  const kept = await context.services?.replace(
    { spec, version, path, revision, directory, entrypoint, sha256: spec.sha256 },
    { again, signal: context.signal },
  );
  if (kept === undefined || kept.kind === 'unkept') {
    return { kind: 'skip', because: 'the agent ends, and looks at its health when it runs again' };
  }
  if (kept.kind === 'ready') return DONE;
  if (!kept.started) return unchecked(context, work, kept.message);
  // the same files under other settings: there is no version to go back to
  return work.repair ? unhealthy(context, work, kept.message) : failed(context, work, kept.message);
}

const at = ({ spec, version, revision }: FlowWork) => ({ flow: spec.id, version, revision });

/** This machine could not start it: that says nothing about the version, and is looked at again. */
function unchecked(context: ReconcileContext, work: FlowWork, why: string): StepResult {
  const message = `flow ${work.spec.id}: the health of ${work.version} could not be checked: ${why}`;
  context.events.emit({ severity: 'error', reason: 'FlowStalled', message, ...at(work) });
  return { kind: 'stalled', code: 'health_failed', message };
}

function failed(context: ReconcileContext, work: FlowWork, why: string): StepResult | Promise<StepResult> {
  const message = `flow ${work.spec.id}: ${why}`;
  context.events.emit({ severity: 'error', reason: 'HealthFailed', message, ...at(work) });
  return context.settings().rollbackOn === 'never'
    ? unhealthy(context, work, why)
    : goBack(context, work, why);
}

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
