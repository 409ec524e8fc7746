import type { RunStep } from '../../../../schemas/console/run.ts';
import { counted } from '../counted.ts';

const n = counted('en');
type Step = RunStep['kind'];

export const en = {
  title: (flow: string, host: string) => `${flow} on ${host}`,
  cancel: 'Cancel the run',
  again: 'Run again',
  ended: 'The run has ended.',
  timeline: 'From the trigger to the result',
  step: {
    asked: 'Asked for',
    sent: 'Sent to the agent',
    acknowledged: 'Taken by the agent',
    refused: 'Refused by the agent',
    expired: 'Taken by nobody in time',
    started: 'Started',
    retried: 'Tried again',
    cancel_asked: 'Cancelling asked for',
    ended: 'Ended',
    reported: 'Reported here',
  } satisfies Record<Step, string> as Record<Step, string>,
  by: (who: string) => `by ${who}`,
  attempt: (attempt: number) => `Attempt ${attempt}`,
  after: (duration: string) => `after ${duration}`,
  goesOn: {
    asked: 'Waits until the agent takes it',
    queued: 'Waits for its turn on the machine',
    running: 'Goes on',
  },
  noSteps: 'Nothing is known yet of how it went.',
  why: 'Why it ended so',
  whyNot: 'Why it never began',
  facts: 'What ran',
  fact: {
    flow: 'Flow',
    version: 'Version',
    digest: 'Digest',
    commit: 'Commit',
    agent: 'Agent',
    trigger: 'Trigger',
    attempt: 'Attempt',
    exit: 'Exit code',
    took: 'Took',
    id: 'Run',
    command: 'Command',
  },
  inputs: {
    title: 'What it was given',
    what: 'what it was given',
    download: 'Download',
    large: (size: string) => `${size}, too much to show here: download it.`,
    not: {
      none: 'It was given no inputs.',
      withheld: 'It was given inputs. Operators may read them: they may be about people.',
      elsewhere: 'It was not asked for at this console: what it was given stays on the machine.',
      forgotten: 'It was given its inputs at this console, which keeps them no longer.',
    },
    again: {
      given: 'The inputs are those of the run before; change what you like.',
      elsewhere: 'The inputs of the run before stay on the machine: give it its inputs here.',
      forgotten: 'The inputs of the run before are kept no longer: give it its inputs here.',
    },
  },
  commitBy: (author: string) => `${author},`,
  log: {
    title: 'What it printed',
    streams: 'Streams of the run',
    attempt: 'Attempt',
    search: 'Find in this log',
    hits: (place: number, count: number) =>
      place === 0
        ? n(count, { one: '# line', other: '# lines' })
        : `${n(place, { one: '#', other: '#' })} of ${n(count, { one: '# line', other: '# lines' })}`,
    noHits: 'Not found',
    previous: 'Line before that has it',
    next: 'Next line that has it',
    wrap: 'Wrap lines',
    follow: 'Follow',
    following: 'Follows the end',
    copy: 'what is shown of the log',
    download: 'Download the whole',
    lines: (count: number) => n(count, { one: '# line', other: '# lines' }),
    state: {
      connecting: 'connecting',
      live: 'live',
      reconnecting: 'reconnecting',
      ended: 'complete',
    },
    nothing: 'It has printed nothing here yet',
    nothingMore: 'Lines appear as the machine sends them.',
    never: 'It printed nothing here',
    neverMore: 'Nothing came on this stream.',
    neverBegan: 'It never began, so it printed nothing.',
    skipped: (size: string) =>
      `The first ${size} are not shown, so lines have no numbers. Download the whole to see them.`,
    gone: (count: number) =>
      `${n(count, { one: 'The first line is', other: 'The first # lines are' })} no longer held by this page. Download the whole to see ${count === 1 ? 'it' : 'them'}.`,
    truncated: (size: string, stream: string) =>
      `${size} of ${stream} were dropped on the machine: more was printed than is kept.`,
    tail: 'There is no live log of this run. This is the end of what it printed, from its report.',
    cut: (count: number) => n(count, { one: '… # character more', other: '… # characters more' }),
  },
  files: {
    title: 'What it left',
    none: 'It left no files.',
    later: 'Files that it leaves are listed when it has ended.',
    digest: 'SHA-256',
    download: 'Download',
    downloadOf: (name: string) => `Download ${name}`,
    show: 'Show',
    showOf: (name: string) => `Show ${name}`,
    notSent: 'Not sent by the machine',
    coming: (received: string, size: string) => `${received} of ${size} have come`,
  },
};
