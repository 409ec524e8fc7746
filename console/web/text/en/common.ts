import type { AgentState } from '../../../../schemas/console/agent.ts';
import type { ConsoleRunState } from '../../../../schemas/console/run.ts';
import { counted } from '../counted.ts';

const n = counted('en');

/** Words that more than one page has. */
export const en = {
  state: {
    stalled: 'Stalled',
    unhealthy: 'Unhealthy',
    unreachable: 'Unreachable',
    reconciling: 'Reconciling',
    suspended: 'Suspended',
    waiting: 'Waiting',
    ready: 'Ready',
    revoked: 'Revoked',
  } satisfies Record<AgentState, string> as Record<AgentState, string>,
  stateMeans: {
    stalled: 'It cannot do what its branch says, and trying again will not help',
    unhealthy: 'A flow of it fails its health check',
    unreachable: 'Not heard of for eleven minutes or more',
    reconciling: 'On its way to what its branch says',
    suspended: 'Somebody has told it to stay as it is',
    waiting: 'Enrolled, and has never reported',
    ready: 'What its branch says is what runs',
    revoked: 'No longer let in',
  } satisfies Record<AgentState, string> as Record<AgentState, string>,
  run: {
    asked: 'Asked for',
    queued: 'Queued',
    running: 'Running',
    succeeded: 'Succeeded',
    failed: 'Failed',
    timed_out: 'Timed out',
    cancelled: 'Cancelled',
    lost: 'Lost',
    refused: 'Refused',
    expired: 'Expired',
  } satisfies Record<ConsoleRunState, string> as Record<ConsoleRunState, string>,
  held: {
    /** Beside the revision of an agent. */
    mark: (what: string) => `holds back ${what}`,
    agents: (count: number, what: string) =>
      `${n(count, { one: '# agent holds', other: '# agents hold' })} back ${what}`,
    more: (flow: string, version: string | null, desired: string | null, by: string, why: string) =>
      `${flow}: ${version ?? 'none'}${desired === null ? '' : `, the branch says ${desired}`}. Rolled back by ${by}: ${why}`,
  },
  health: { healthy: 'Healthy', unhealthy: 'Unhealthy', unknown: 'Unknown' },
  severity: { info: 'Info', warning: 'Warning', error: 'Error' },
  role: { viewer: 'Viewer', operator: 'Operator', admin: 'Admin' },

  close: 'Close',
  cancel: 'Cancel',
  copy: 'Copy',
  copied: 'Copied',
  copyOf: (what: string) => `Copy ${what}`,
  retry: 'Try again',
  none: 'none',
  never: 'never',
  unknown: 'unknown',
  loading: 'Loading',
  more: 'More',
  agents: (count: number) => n(count, { one: '# agent', other: '# agents' }),
  flows: (count: number) => n(count, { one: '# flow', other: '# flows' }),
  runs: (count: number) => n(count, { one: '# run', other: '# runs' }),

  table: {
    rows: (from: string, to: string, total: string) => `${from}–${to} of ${total}`,
    previous: 'Previous page',
    next: 'Next page',
    newer: 'Newer',
    older: 'Older',
    sortBy: (column: string) => `Sort by ${column}`,
    select: (row: string) => `Select ${row}`,
    selectPage: 'Select all rows of this page',
    selected: (count: number) => n(count, { one: '# selected', other: '# selected' }),
    selectAll: (count: number) => `Select all ${n(count, { one: '#', other: '#' })} that match`,
    allSelected: (count: number) => `All ${n(count, { one: '#', other: '#' })} that match are selected`,
    clearSelection: 'Clear selection',
    without: (filter: string) => `Remove the filter ${filter}`,
    clearFilters: 'Clear all filters',
    nothingMatches: 'Nothing matches these filters',
    nothingMatchesMore: 'Take one away, or look for something else.',
    nothingSoFar: 'Nothing so far',
    nothingSoFarMore: 'Older ones have not been looked at yet.',
    search: 'Filter',
  },
  required: 'required',
  confirm: {
    reason: 'Reason',
    reasonNote: 'Goes into the audit, and to the agent where a command has a place for it.',
    reasonFirst: 'Say why first',
    reasonMissing: 'Say why, in a few words: others will read it.',
    willHappen: 'What will happen',
    looking: 'Looking what it would do…',
  },
  fault: {
    title: 'This could not be loaded',
    offline: 'The console does not answer. Check the network; the page tries again by itself.',
    timeout: 'The console did not answer in time. It may be busy: try again in a moment.',
    notUnderstood: 'The answer was not one of this console. A proxy may be in the way.',
    tooMany: (seconds: number | null) =>
      seconds === null
        ? 'Too many requests. Wait a little, then try again.'
        : `Too many requests. Try again in ${n(Math.max(1, seconds), { one: '# second', other: '# seconds' })}.`,
    /** 503, by code: nothing of the call was done. */
    unavailable: {
      full: 'The disk of the console is full: nothing was changed. Make room on its machine, then try again. What can be read can still be read.',
      read_only:
        'The disk of the console takes nothing any more: nothing was changed. Have the disk of its machine and who may write there looked at, then try again. What can be read can still be read.',
      busy: 'The console has too much to do just now: nothing was changed. Try again in a few seconds.',
      closing: 'The console is closing or starting anew: nothing was changed. Try again in a minute.',
    },
    notFound: 'This is not there, or not for you to see.',
    saved: 'Your change was not made.',
    broke: 'Something in this page broke',
    brokeMore:
      'The rest of the console works. Load the page again; if it comes back, this is what to report:',
    reload: 'Load the page again',
    newVersion: 'The console has been updated meanwhile: load the page again.',
  },
};
