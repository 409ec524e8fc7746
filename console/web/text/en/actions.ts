import type { ActionName } from '../../../../schemas/console/action.ts';
import { counted } from '../counted.ts';

const n = counted('en');
const agents = (count: number) => n(count, { one: '# agent', other: '# agents' });

type Title = (who: string, flow?: string) => string;
type Each<T> = Record<ActionName, T>;

export const en = {
  verb: {
    reconcile: 'Reconcile',
    run: 'Run',
    cancel: 'Cancel the run',
    suspend: 'Suspend',
    resume: 'Resume',
    rollback: 'Roll back',
    revoke: 'Revoke',
  } satisfies Each<string> as Each<string>,
  title: {
    reconcile: (who) => `Let ${who} look at the branch now?`,
    run: (who, flow = 'a flow') => `Run ${flow} on ${who}?`,
    cancel: (who) => `Cancel this run on ${who}?`,
    suspend: (who) => `Suspend ${who}?`,
    resume: (who) => `Resume ${who}?`,
    rollback: (who, flow = 'a flow') => `Roll back ${flow} on ${who}?`,
    revoke: (who) => `Revoke ${who} for ever?`,
  } satisfies Each<Title> as Each<Title>,
  will: {
    reconcile: (count) => `${agents(count)} will look at the branch and apply what it says.`,
    run: (count) =>
      `${n(count, { one: '# run is', other: '# runs are' })} asked for, one on each agent. Runs queue where others go on.`,
    cancel: () =>
      'The run is interrupted, given its grace, then ended with all its processes. It is reported as cancelled.',
    suspend: (count) =>
      `${agents(count)} will activate nothing new. Flows still run, on schedule and when asked for.`,
    resume: (count) => `${agents(count)} will follow the branch again, and let go of versions held by hand.`,
    rollback: (count) =>
      `${agents(count)} will go back to the version before, and stay with it until the branch has a newer one or somebody resumes.`,
    revoke: (count) =>
      `The keys of ${agents(count)} are refused from now on, the tunnel ends, and what waits is dropped. What runs on the machine stays as it is. This cannot be taken back: the machine has to be enrolled again.`,
  } satisfies Each<(count: number) => string> as Each<(count: number) => string>,
  withInputs: 'With the inputs',
  withoutInputs: 'Without inputs.',
  offline: (count: number) =>
    `${n(count, { one: '# of them is not connected: it gets this when it is', other: '# of them are not connected: they get this when they are' })}.`,
  refusedTitle: (count: number) => `Not for ${agents(count)}`,
  andMore: (count: number) => `and ${agents(count)} more`,
  /** Of outcomes, by their code. */
  refusals: {
    no_trigger_key: 'The console has no trigger key of this tenant: an admin gives it one in the settings.',
    trigger_key_unreadable:
      'The trigger key of this tenant does not open here: give it to the console again.',
    key_not_allowed: 'No agent would take commands by the trigger key that the console has.',
    agent_revoked: 'It is revoked.',
    not_connected: 'It is not connected; it looks by itself at its own interval.',
    flow_unknown: 'It has not told of this flow.',
    no_active_version: 'No version of the flow is active there.',
    version_not_active: 'Another version of the flow is active there.',
    no_previous_version: 'There is no version before the active one.',
    previous_quarantined: 'The version before is the one that failed: the agent does not go back to it.',
    run_unknown: 'It has no such run.',
    run_ended: 'The run has ended already.',
    too_many_commands: 'Too many commands wait for it already.',
    command_invalid: 'No command can hold that.',
    command_too_large: 'The inputs are more than a command can hold.',
  } as Readonly<Record<string, string>>,
  colon: ':',
  allRefused: 'None of them would take it',
  typeIt: 'Type it to confirm',
  confirmBy: (what: string) => `To confirm, type ${what}`,
  off: {
    looking: 'Looking what it would do…',
    fault: 'What it would do is not known',
    flow_missing: 'Choose a flow',
    inputs_malformed: 'The inputs have to be a JSON object',
  },
  fields: {
    flow: 'Flow',
    chooseFlow: 'Choose a flow',
    inputs: 'Inputs',
    inputsNote:
      'A JSON object, such as {"month": "2026-11"}. Empty: {}. No secrets: those belong on the machine.',
    flow_missing: 'Choose a flow to see what will happen.',
    inputs_malformed: 'Expected the inputs to be a JSON object, such as {"month": "2026-11"}.',
    afterInputs: 'Correct the inputs to see what will happen.',
    until: 'For how long',
    untilResumed: 'Until somebody resumes',
    hours: { '1': '1 hour', '4': '4 hours', '24': '1 day', '168': '7 days' },
  },
  see: { run: 'Open the run', runs: 'Open the runs', commands: 'What became of it' },
  done: (action: ActionName, count: number, refused: number) => {
    const said: Each<string> = {
      reconcile: `${agents(count)} will look at the branch`,
      run: n(count, { one: '# run asked for', other: '# runs asked for' }),
      cancel: 'The run is being cancelled',
      suspend: `${agents(count)} asked to suspend`,
      resume: `${agents(count)} asked to resume`,
      rollback: `${agents(count)} asked to roll back`,
      revoke: `${agents(count)} revoked`,
    };
    return refused === 0 ? said[action] : `${said[action]}, ${refused} refused`;
  },
};
