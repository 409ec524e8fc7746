import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { EventDraft } from '../schemas/event.ts';
import { Id, Sha256 } from '../schemas/names.ts';
import type { ChainHead } from './event-chain.ts';
import { eventLogFiles, scanFile } from './event-verify.ts';

/** What was behind the last newline is kept here, for a person to look at. */
const TORN_FILE = 'events.torn';
const TORN_MAX_BYTES = 1024 * 1024;

const Remembered = z.object({
  log_id: Id,
  seq: z.int().min(1),
  prev: Sha256,
  /** Whose events these are, by `tenant/agent_id`. */
  identity: z.string().optional(),
});

export interface Opening {
  /** Where the chain goes on; null when a new log has to begin. */
  readonly head: ChainHead | null;
  /** What the document remembers as the hash of the last line; null when it remembers none. */
  readonly rememberedPrev: string | null;
  /** What was found, to be said as the first events. */
  readonly findings: EventDraft[];
}

/**
 * Makes the files of the log ready to be written: cuts off an unfinished last line, checks the chain of the last file, and
 * compares its end with what the writer remembered. When remembered events are gone, a new log begins: going on would give
 * their numbers to others that the SaaS then takes for repetitions. A new log begins too when the agent is another than before
 * (`identity`): it may report about nobody but itself, so one event of the other would hold back all that follow.
 */
export function openingOf(directory: string, document: unknown, identity: string): Opening {
  const findings: EventDraft[] = [];
  const files = eventLogFiles(directory);
  let head: ChainHead | null = null;
  for (const file of files.toReversed()) {
    const scan = scanFile(file);
    const name = path.basename(file);
    if (scan.tornAt !== null) {
      const bytes = cutOff(file, scan.tornAt, path.join(directory, TORN_FILE));
      findings.push({
        severity: 'warning',
        reason: 'StateRecovered',
        message: `The last line of ${name} was unfinished: ${bytes} bytes were moved to ${TORN_FILE}.`,
      });
    }
    if (scan.fault !== null) {
      findings.push(changed(`${name}:${scan.fault.line}: ${scan.fault.message}; see \`edge-agent verify\`.`));
    }
    head = scan.head;
    if (head !== null) break;
  }

  const remembered = Remembered.safeParse(document).data;
  const rememberedPrev = remembered?.prev ?? null;
  if (remembered === undefined) return { head, rememberedPrev, findings };
  const { log_id, seq, prev } = remembered;
  // A log that had begun, and no event in it: what lies there is of the log before, whose agent may have been another.
  if (seq === 1 && head !== null && head.logId !== log_id) return { head: null, rememberedPrev, findings };
  // Before the first event there is nothing to miss.
  if (seq === 1) return { head, rememberedPrev, findings };
  if (remembered.identity !== undefined && remembered.identity !== identity) {
    return { head: null, rememberedPrev: null, findings };
  }
  if (head === null || head.logId !== log_id || head.seq < seq) {
    const found = head === null ? 'none' : `${head.logId} up to ${head.seq - 1}`;
    findings.push(
      changed(`expected the log ${log_id} up to event ${seq - 1}, found ${found}; a new log begins.`),
    );
    return { head: null, rememberedPrev, findings };
  }
  if (head.seq === seq && head.prev !== prev) {
    findings.push(changed(`expected event ${seq - 1} as it was written, found another text.`));
  }
  return { head, rememberedPrev, findings };
}

function changed(what: string): EventDraft {
  return { severity: 'error', reason: 'DriftDetected', message: `The event log was changed: ${what}` };
}

function cutOff(file: string, from: number, aside: string): number {
  const fd = fs.openSync(file, 'r+');
  try {
    const bytes = fs.fstatSync(fd).size - from;
    const kept = Buffer.alloc(Math.min(bytes, TORN_MAX_BYTES));
    const read = fs.readSync(fd, kept, 0, kept.length, from);
    fs.rmSync(aside, { force: true });
    fs.writeFileSync(aside, kept.subarray(0, read), { mode: 0o600, flag: 'wx' });
    fs.ftruncateSync(fd, from);
    fs.fsyncSync(fd);
    return bytes;
  } finally {
    fs.closeSync(fd);
  }
}
