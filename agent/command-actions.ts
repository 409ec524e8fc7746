import type { CommandActions, CommandOutcome } from '../reconciler/command-work.ts';
import type { Dispatcher, RunRequestByName } from '../reconciler/dispatcher.ts';
import type { Held } from '../schemas/current.ts';
import { OperationError } from './operation-error.ts';
import type { AgentOperations } from './operations.ts';

/** What commands do: the same as the verbs of the command line, in the name of whoever signed. */
export function createCommandActions(parts: {
  dispatcher: Pick<Dispatcher, 'submit' | 'reject'>;
  operations: Pick<AgentOperations, 'cancel' | 'suspend' | 'resume' | 'rollback'>;
  /** The active version of a flow, and who holds it. */
  active: (flow: string) => { readonly version: string; readonly held: Held | null } | null;
}): CommandActions {
  const { dispatcher, operations, active } = parts;
  return {
    run({ command_id, run_id: runId, flow, version, inputs, timeout }) {
      const request: RunRequestByName & { runId: string } = {
        runId,
        flow,
        input: inputs === undefined ? {} : inputs,
        trigger: 'command',
        because: `command ${command_id}`,
        ...(version === undefined ? {} : { version }),
        ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      };
      const submitted = dispatcher.submit(request);
      switch (submitted.kind) {
        case 'queued':
          return done(`run ${runId} of flow ${flow} is queued`);
        case 'known':
          return done(`run ${runId} is known already; it is not run again`);
        case 'skipped':
          return { ok: false, message: `run ${runId} is cancelled: ${submitted.message}` };
        case 'not_runnable':
          // The console waits for a result all the same.
          dispatcher.reject(request, submitted.message);
          return { ok: false, message: `run ${runId} failed: ${submitted.message}` };
      }
    },
    cancel: ({ run_id }, signal) =>
      outcomeOf(async () => {
        const { state } = await operations.cancel({ run_id }, signal);
        return state === 'cancelling'
          ? `run ${run_id} is being cancelled`
          : `run ${run_id} is ${state} already`;
      }),
    suspend: ({ by, why, until }, signal) =>
      outcomeOf(async () => {
        await operations.suspend({ by, why, until: until ?? null }, signal);
        return `activation is suspended by ${by}`;
      }),
    resume: ({ by }, signal) =>
      outcomeOf(async () => {
        await operations.resume({ by }, signal);
        return `activation is resumed by ${by}`;
      }),
    async rollback({ flow, by, why }, signal) {
      const now = active(flow);
      // done before a crash, which took only the note of it
      if (now?.held?.by === by && now.held.why === why) {
        const { version } = now;
        return { ok: true, message: `flow ${flow} is rolled back by ${by} already, to ${version}`, version };
      }
      const outcome = await outcomeOf(async () => {
        await operations.rollback({ flow, by, why }, signal);
        return `flow ${flow} is rolled back by ${by}`;
      });
      const version = active(flow)?.version;
      if (!outcome.ok || version === undefined) return outcome;
      return { ok: true, message: `${outcome.message} to ${version}`, version };
    },
  };
}

function done(message: string): CommandOutcome {
  return { ok: true, message };
}

/** An operation says no by throwing `OperationError`; anything else is a bug of ours, and the caller's to report. */
async function outcomeOf(operation: () => Promise<string>): Promise<CommandOutcome> {
  try {
    return done(await operation());
  } catch (error) {
    if (error instanceof OperationError) return { ok: false, message: error.message };
    throw error;
  }
}
