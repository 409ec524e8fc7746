import { join } from 'node:path';
import { z } from 'zod';
import { Timestamp } from '../schemas/names.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { readSmallFile } from '../system/small-file.ts';

const COMMAND_TIME_FILE = 'command-time.json';
const MAX_BYTES = 4_096;
const Document = z.object({ latest_issued: Timestamp });

/** The newest `issued` of a command that was taken from ahead of this machine's clock. */
export interface CommandTimeFile {
  /** Null when there was none, or the file is damaged: then a lost state is judged by the clock and the releases. */
  load(): Promise<Date | null>;
  /** Durable when it resolves; never lowers it. */
  raise(issued: Date): Promise<void>;
}

/** Lies with the credentials (0600), so that it outlives the state directory, whose beginning it is held against. */
export function createCommandTimeFile(credentialsDir: string): CommandTimeFile {
  const path = join(credentialsDir, COMMAND_TIME_FILE);
  const load = async () => {
    const file = await readSmallFile(path, MAX_BYTES);
    if (file.kind !== 'read') return null;
    try {
      return new Date(Document.parse(JSON.parse(Buffer.from(file.bytes).toString('utf8'))).latest_issued);
    } catch {
      return null;
    }
  };
  return {
    load,
    async raise(issued) {
      const before = await load();
      if (before !== null && before >= issued) return;
      const text = `${JSON.stringify({ latest_issued: issued.toISOString() })}\n`;
      await writeFileAtomically(path, text, { mode: 0o600 });
    },
  };
}
