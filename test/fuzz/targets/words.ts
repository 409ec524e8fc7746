import { parseCron } from '../../../schemas/cron.ts';
import { formatDuration, parseDuration } from '../../../schemas/duration.ts';
import { formatSize, parseSize } from '../../../schemas/size.ts';
import { createWallClock, scheduledTimes } from '../../../sources/schedule-times.ts';
import { shownCause } from '../../../sources/tunnel/client-failure.ts';
import { frp } from '../../../sources/tunnel/frp.ts';
import { rathole } from '../../../sources/tunnel/rathole.ts';
import { createRedactor, scrubText } from '../../../system/redaction.ts';
import { check, checkMessage, checkSame } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

const UTC = createWallClock('UTC');
const MONDAY = Date.UTC(2026, 0, 5);
const DAY_MS = 86_400_000;
const FIELD_RANGES = [
  ['minute', 0, 59],
  ['hour', 0, 23],
  ['dayOfMonth', 1, 31],
  ['month', 1, 12],
  ['dayOfWeek', 0, 6],
] as const;

/** Small formats inside other documents: schedules, durations, sizes, lines of a tunnel client, texts for logs. */
export const wordTargets: readonly FuzzTarget[] = [
  {
    name: 'cron',
    shape: 'text',
    seeds: ['*/15 * * * *', '0 7 1-31/2 jan,dec mon-fri', '59 23 31 12 7', '* 22-23 * * sun'],
    words: ['*', '*/', '-', ',', '/', '7', '60', 'jan', 'sun', 'mon-sun', '1-5/2', '@daily'],
    repeats: ['* ', '1,', '*/', '-', 'jan,', ' ', '\t', '1-', '0'],
    read(bytes) {
      const fields = parseCron(bytes.toString('utf8'));
      if (typeof fields === 'string') {
        checkMessage(fields);
        return;
      }
      for (const [name, least, most] of FIELD_RANGES) {
        check(fields[name].size > 0, `expected a ${name}, found none`);
        for (const value of fields[name])
          check(value >= least && value <= most, `expected a ${name} of ${least}-${most}, found ${value}`);
      }
      const { count, last } = scheduledTimes(fields, { after: MONDAY, until: MONDAY + DAY_MS }, UTC);
      check(
        count >= 0 && count <= 1_440 && (last === null) === (count === 0),
        `expected at most a time a minute, found ${count}`,
      );
      check(
        last === null || (last > MONDAY && last <= MONDAY + DAY_MS && last % 60_000 === 0),
        `expected a minute of the day, found ${last}`,
      );
    },
  },
  {
    name: 'duration',
    shape: 'text',
    seeds: ['500ms', '30s', '5m', '24h', '30d', '999999999999d'],
    words: ['ms', 's', 'm', 'h', 'd'],
    repeats: ['1', '1s', ' '],
    read(bytes) {
      const ms = parseDuration(bytes.toString('utf8'));
      if (ms === null) return;
      check(Number.isSafeInteger(ms) && ms >= 0, `expected whole milliseconds, found ${ms}`);
      checkSame(parseDuration(formatDuration(ms)), ms, formatDuration(ms));
    },
  },
  {
    name: 'size',
    shape: 'text',
    seeds: ['0B', '64KiB', '8MiB', '2GiB', '8191TiB'],
    words: ['B', 'KiB', 'MiB', 'GiB', 'TiB'],
    repeats: ['1', '1B', ' '],
    read(bytes) {
      const size = parseSize(bytes.toString('utf8'));
      if (size === null) return;
      check(Number.isSafeInteger(size) && size >= 0, `expected whole bytes, found ${size}`);
      checkSame(parseSize(formatSize(size)), size, formatSize(size));
    },
  },
  {
    name: 'tunnel-client-line',
    shape: 'text',
    seeds: [
      '2026-01-01T00:00:00.0Z  INFO handle{service=ssh}:run:connect:do_handshake: rathole::client: Control channel established',
      '2026-01-01T00:00:00.0Z ERROR handle{service=ssh}: rathole::client: Failed to run the control channel: Failed to connect to 127.0.0.1:1. Retry in 1.2s',
      '2026-01-01 00:00:00.000 [I] [client/control.go:168] [ab] [edge] start proxy success',
      '2026-01-01 00:00:00.000 [W] [client/control.go:166] [ab] [edge] start error: port already used',
      '2026-01-01 00:00:00.000 [E] [client/service.go:322] connect to server error: dial tcp: connection refused',
    ],
    words: [
      'Control channel established',
      'Failed to run the control channel: ',
      '. Retry in ',
      'start proxy success',
      'login to server failed: ',
      '\u001b[0m',
    ],
    repeats: ['Failed to run the control channel: ', '. Retry in ', ' ', '[', '\u001b[0m', ': '],
    read(bytes) {
      const lines = bytes.toString('utf8').split('\n');
      for (const program of [rathole, frp]) {
        const read = program.reader();
        for (const line of lines) {
          const news = read(line);
          if (news?.kind !== 'failed') continue;
          const shown = shownCause(news.cause);
          check(shown.length <= 301, `expected a short cause, found ${shown.length} characters`);
          if (shown !== '') checkMessage(shown);
        }
      }
    },
  },
  {
    name: 'log-text',
    shape: 'text',
    seeds: [
      'Authorization: Basic dXNlcjpwYXNz',
      '{"authorization":"Bearer abc.def"}',
      'https://u:p@git.example/a.git?X-Amz-Signature=ab&token=c',
      'got eyJhbGciOi.eyJpc3Mi.c2ln!',
      '{"crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',
      'hunter22 %68unter22 \\u0068unter22 aHVudGVyMjI=',
    ],
    words: ['hunter22', 'bearer ', '://', '@', '?token=', 'eyJ', '.', '"d":"', 'cookie:', 'ghp_'],
    repeats: [
      '://',
      'eyJ',
      'eyJa.',
      'bearer ',
      '?token=',
      '"d":"',
      'authorization',
      'cookie:',
      'ghp_',
      '%68',
      '\\u0068',
      '&#104;',
      'hunter2',
    ],
    read(bytes) {
      const text = bytes.toString('utf8');
      const scrubbed = scrubText(text);
      checkSame(scrubText(scrubbed), scrubbed, 'scrubbed twice');
      check(!SECRET.text(text).includes('hunter22'), 'expected no secret in what is shown');
    },
  },
];
const SECRET = createRedactor(['hunter22', 'an other one']);
