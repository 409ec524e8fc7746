import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { ConsoleSettings } from '../../schemas/console/settings.ts';
import { type CronFields, parseCron } from '../../schemas/cron.ts';
import { backUp } from './backup.ts';

const MINUTE_MS = 60_000;
const EARLY_MS = 50;
const NAME = /^console-\d{8}T\d{6}Z\.tar$/;

export interface BackupSchedule {
  /** Ends one that is being written. */
  close(): Promise<void>;
}

/**
 * Backs up by the schedule of console.yaml (the machine's clock and time zone), and keeps the newest ones. A failure is said in the
 * log, and the next one is tried at its time. A time at which the console did not run is not made up for.
 */
export function startBackups(parts: {
  readonly settings: NonNullable<ConsoleSettings['backup']>;
  readonly data: string;
  readonly log: FastifyBaseLogger;
  readonly now: () => Date;
}): BackupSchedule {
  const { settings, log, now } = parts;
  const fields = parseCron(settings.schedule);
  if (typeof fields === 'string') throw new Error(fields);
  const closing = new AbortController();
  const { signal } = closing;

  const run = async () => {
    for (;;) {
      // Into the minute, as a timer may be a little early: the minute before would have its backup twice.
      await sleep(MINUTE_MS - (now().getTime() % MINUTE_MS) + EARLY_MS, undefined, { signal, ref: false });
      const at = now();
      if (!isTime(fields, at)) continue;
      try {
        const { file, bytes } = await backUpInto(settings, parts.data, at, signal);
        log.info({ file, bytes }, 'a backup was made');
      } catch (err) {
        if (!signal.aborted) log.error({ err }, 'expected to make a backup, found that it failed');
      }
    }
  };
  const ended = run().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return {
    async close() {
      closing.abort(new Error('the console is closing'));
      await ended;
    },
  };
}

/** One backup with its time in its name, in `dir`; older ones beyond `keep` go once it is whole. */
export async function backUpInto(
  { dir, keep }: { readonly dir: string; readonly keep: number },
  data: string,
  at: Date,
  signal: AbortSignal,
) {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const time = at.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const made = await backUp(data, join(dir, `console-${time}.tar`), at, signal);
  const all = (await readdir(dir)).filter((name) => NAME.test(name)).toSorted();
  for (const name of all.slice(0, -keep)) await rm(join(dir, name));
  return made;
}

/** Whether the minute is one of them. As in crontab(5), one of the two days is enough when both are restricted. */
export function isTime(fields: CronFields, at: Date): boolean {
  if (!fields.minute.has(at.getMinutes()) || !fields.hour.has(at.getHours())) return false;
  if (!fields.month.has(at.getMonth() + 1)) return false;
  const inMonth = fields.dayOfMonth.has(at.getDate());
  const inWeek = fields.dayOfWeek.has(at.getDay());
  return fields.anyDayOfMonth || fields.anyDayOfWeek ? inMonth && inWeek : inMonth || inWeek;
}
