import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { listNumbered } from '../system/rotating-file.ts';
import { type ChainHead, faultOf, headAfter, parseLine } from './event-chain.ts';
import { readLines } from './line-reader.ts';

export const EVENT_LOG_NAME = 'events';
export const EVENT_LOG_EXTENSION = '.jsonl';

export type ChainVerdict =
  | { readonly kind: 'intact'; readonly events: number; readonly head: ChainHead | null }
  | {
      readonly kind: 'broken';
      readonly events: number;
      readonly file: string;
      /** From 1. */
      readonly line: number;
      readonly message: string;
    };

const LINES_PER_TURN = 2_000;

/** The files of an event log, oldest first, the one in use last. Also when nobody has it open. */
export function eventLogFiles(directory: string): string[] {
  if (!fs.existsSync(directory)) return [];
  const current = path.join(directory, EVENT_LOG_NAME + EVENT_LOG_EXTENSION);
  return [
    ...listNumbered(directory, EVENT_LOG_NAME, EVENT_LOG_EXTENSION).map((entry) => entry.file),
    ...(fs.existsSync(current) ? [current] : []),
  ];
}

/**
 * Follows the chain of `prev` through all files of the log, from the oldest event that rotation has left. Says the first
 * line that was changed, added, removed or moved; a change of the last line of all shows only against `expected`, the head
 * that the writer remembers. Yields to the event loop; reads in pieces.
 */
export async function verifyEventLog(
  directory: string,
  options: { expected?: ChainHead | null; signal?: AbortSignal } = {},
): Promise<ChainVerdict> {
  let head: ChainHead | null = null;
  let events = 0;
  const files = eventLogFiles(directory);
  for (const file of files) {
    let number = 0;
    for (const line of readLines(file)) {
      number += 1;
      if (number % LINES_PER_TURN === 0) await nextTurn(undefined, { signal: options.signal });
      const fault = faultOfLine(line, head, number === 1);
      if (typeof fault === 'string') return { kind: 'broken', events, file, line: number, message: fault };
      head = fault;
      events += 1;
    }
  }
  const { expected } = options;
  if (expected && expected.seq > 1 && !sameHead(head, expected)) {
    const found = head === null ? 'no event' : `${head.seq - 1}, or another text of it`;
    const message = `expected the log ${expected.logId} to end with event ${expected.seq - 1} as it was written, found ${found}`;
    return { kind: 'broken', events, file: files.at(-1) ?? directory, line: events, message };
  }
  return { kind: 'intact', events, head };
}

function faultOfLine(
  line: { bytes: Buffer; whole: boolean },
  head: ChainHead | null,
  firstOfFile: boolean,
): ChainHead | string {
  if (!line.whole)
    return 'expected a line of at most 64 KiB with a newline, found an unfinished one; a crash leaves one at the end, and the agent cuts it off when it starts';
  const event = parseLine(line.bytes);
  if (typeof event === 'string') return event;
  return faultOf(event, head, firstOfFile) ?? headAfter(event.log_id, event.seq, line.bytes);
}

function sameHead(a: ChainHead | null, b: ChainHead): boolean {
  return a !== null && a.logId === b.logId && a.seq === b.seq && a.prev === b.prev;
}

/** What the last file tells a writer that opens it. */
export interface FileScan {
  /** Where the chain goes on; null when the file has no event. */
  readonly head: ChainHead | null;
  /** The first break of the chain inside the file. */
  readonly fault: { readonly line: number; readonly message: string } | null;
  /** Where an unfinished last line begins, else null. */
  readonly tornAt: number | null;
}

/**
 * One file's chain, quickly: `prev` is the last member of a line and `log_id` and `seq` the first (contract, section 9), so
 * a sound line needs no parsing. A last line that is no event counts as torn: a power cut may leave zeros where it was.
 */
export function scanFile(file: string, maxLines = Number.POSITIVE_INFINITY): FileScan {
  let head: ChainHead | null = null;
  let fault: FileScan['fault'] = null;
  let tornAt: number | null = null;
  let number = 0;
  for (const line of readLines(file)) {
    if (number === maxLines) break;
    number += 1;
    if (tornAt !== null) {
      // What looked torn was not the last: somebody's doing.
      fault ??= { line: number - 1, message: 'expected an event, found something else' };
      tornAt = null;
    }
    if (head !== null && line.whole && continues(line.bytes, head)) {
      head = { logId: head.logId, seq: head.seq + 1, prev: sha256(line.bytes) };
      continue;
    }
    const event = line.whole ? parseLine(line.bytes) : 'unfinished';
    if (typeof event === 'string') {
      tornAt = line.offset;
      continue;
    }
    const message = faultOf(event, head, number === 1);
    if (message !== null) fault ??= { line: number, message };
    head = headAfter(event.log_id, event.seq, line.bytes);
  }
  return { head, fault, tornAt };
}

function continues(line: Buffer, head: ChainHead): boolean {
  const begin = `{"log_id":${JSON.stringify(head.logId)},"seq":${head.seq},`;
  const end = `,"prev":"${head.prev}"}`;
  return (
    line.length > begin.length + end.length &&
    line.toString('latin1', 0, begin.length) === begin &&
    line.toString('latin1', line.length - end.length) === end
  );
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
