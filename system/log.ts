import { join } from 'node:path';
import { type DestinationStream, pino } from 'pino';
import { describeFields, REDACTED_PATHS } from './log-fields.ts';
import { formatForPeople } from './log-lines.ts';
import { scrubText } from './redaction.ts';
import { openRotatingFile, type RotatingFile } from './rotating-file.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** What every part of the agent logs through. `error` in the fields may be anything that was thrown. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Of `edge-agent.log`, made 0700; null writes no file. Used by one process at a time. */
  readonly dir: string | null;
  readonly maxFiles: number;
  readonly maxBytes: number;
  /** A person is watching: lines for people on `stream`. Without a person and without a file, JSON lines go there. */
  readonly tty: boolean;
  /** Default process.stderr. */
  readonly stream?: { write(text: string): unknown };
  /** Default: as the terminal and NO_COLOR say. */
  readonly colour?: boolean;
  /** Takes known secrets out of every text; what is a credential by its shape or its name goes in any case. */
  readonly scrub?: (text: string) => string;
}

export interface ClosableLog extends Log {
  /** What every line of a part carries (`part: 'outbox'`). */
  child(fields: LogFields): Log;
  setLevel(level: LogLevel): void;
  /** Where it goes; null without a file, or where that cannot be written. */
  readonly file: string | null;
  close(): void;
}

const LOG_NAME = 'edge-agent';
const LOG_EXTENSION = '.log';

/**
 * pino, written synchronously and without worker threads (they cost 10 MB each of an idle agent). A log that cannot be
 * written never fails its caller: the lines are counted, and the first line that gets through says how many were lost.
 */
export function createLog(options: LogOptions): ClosableLog {
  const stream = options.stream ?? process.stderr;
  const colour = options.colour ?? (process.stderr.isTTY && (process.env.NO_COLOR ?? '') === '');
  let file: RotatingFile | null = null;
  let opening: unknown = null;
  if (options.dir !== null) {
    try {
      file = openRotatingFile({
        directory: options.dir,
        name: LOG_NAME,
        extension: LOG_EXTENSION,
        maxBytes: options.maxBytes,
        maxFiles: options.maxFiles,
      });
    } catch (error) {
      opening = error;
    }
  }
  const { dir } = options;
  let lost = 0;

  const destination: DestinationStream = {
    write(line) {
      if (file !== null) {
        try {
          if (lost > 0) {
            const note = {
              level: 'warn',
              time: new Date().toISOString(),
              msg: `${lost} log lines were lost`,
            };
            file.append(Buffer.from(`${JSON.stringify(note)}\n`));
            lost = 0;
          }
          file.append(Buffer.from(line));
        } catch {
          lost += 1;
        }
      }
      if (options.tty) stream.write(formatForPeople(line, colour));
      else if (file === null) stream.write(line);
    },
  };

  const root = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: [...REDACTED_PATHS], censor: '[redacted]' },
    },
    destination,
  );
  const more = options.scrub ?? ((text: string) => text);
  const scrub = (text: string) => more(scrubText(text));

  const adapt = (logger: pino.Logger): Log => {
    const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
      if (!logger.isLevelEnabled(level)) return;
      logger[level](fields === undefined ? {} : describeFields(fields, scrub), scrub(message));
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  };

  const log: ClosableLog = {
    ...adapt(root),
    child: (fields) => adapt(root.child(describeFields(fields, scrub))),
    setLevel(level) {
      root.level = level;
    },
    file: dir === null || file === null ? null : join(dir, `${LOG_NAME}${LOG_EXTENSION}`),
    close() {
      file?.close();
    },
  };
  if (opening !== null) {
    log.warn(`The log goes to standard error: ${options.dir} cannot be written`, { error: opening });
  }
  return log;
}
