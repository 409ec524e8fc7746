import type { Event } from '../schemas/event.ts';
import { parseLine } from './event-chain.ts';
import { readLines } from './line-reader.ts';

export interface EventReader {
  /** Events of the log in force with seq ≥ from, at most limit, oldest first. Lines that are no events are left out. */
  read(from: number, limit: number): Event[];
}

interface LogFile {
  readonly file: string;
  readonly first: { readonly logId: string; readonly seq: number };
}

/** Reads across rotated files. Remembers where the last read ended: a reader that goes on from there skips nothing. */
export function createEventReader(log: { files: () => LogFile[]; logId: () => string }): EventReader {
  let ended: { logId: string; firstSeq: number; seq: number; offset: number } | null = null;

  return {
    read(from, limit) {
      if (limit <= 0) return [];
      const logId = log.logId();
      const files = log.files().filter(({ first }) => first.logId === logId);
      let begin = 0;
      while (begin + 1 < files.length && files[begin + 1]!.first.seq <= from) begin += 1;

      const events: Event[] = [];
      for (const { file, first } of files.slice(begin)) {
        const resume = ended?.logId === logId && ended.firstSeq === first.seq && ended.seq === from;
        for (const line of readLines(file, resume ? ended!.offset : 0)) {
          if (!line.whole || seqOf(line.bytes) < from) continue;
          const event = parseLine(line.bytes);
          if (typeof event === 'string' || event.log_id !== logId) continue;
          events.push(event);
          if (events.length === limit) {
            const offset = line.offset + line.bytes.length + 1;
            ended = { logId, firstSeq: first.seq, seq: event.seq + 1, offset };
            return events;
          }
        }
      }
      return events;
    },
  };
}

/** The line's seq without parsing the whole; of a line that is not ours, a seq that gets it parsed. */
function seqOf(line: Buffer): number {
  const match = /^\{"log_id":"[^"]{1,64}","seq":(\d{1,16}),/.exec(line.toString('latin1', 0, 110));
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]);
}
