import type { DoctorCheck, DoctorReport } from '../../schemas/doctor.ts';
import { shortDigests, type Terminal } from '../terminal.ts';
import { DOCTOR_WORDS } from './doctor-words.ts';

const SYMBOLS = { ok: '✔', warn: '!', fail: '✘' } as const;
const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;
/** Names are shown without their group, in a column. */
const NAME_COLUMNS = 21;
const INDENT = 2 + 2;
/** What was read further up is told again at the end in so many lines. */
const AGAIN_LINES = 3;
/** Also where the lines have no end. */
const AGAIN_COLUMNS = 100;

/**
 * The report as it is read out over the phone: group by group, one line a finding, and at the end what fails once more with what to
 * do. What is expected is said where something is not; with `verbose` everywhere.
 */
export function renderDoctor(
  report: DoctorReport,
  terminal: Terminal,
  { locale, verbose }: { readonly locale: 'en' | 'fr'; readonly verbose: boolean },
): void {
  const words = DOCTOR_WORDS[locale];
  const { paint } = terminal;
  const { daemon, config, summary } = report;
  terminal.line(paint('bold', `edge-agent ${report.agent_version}  ${config}`));
  terminal.line(paint('dim', daemon === null ? words.alone : words.daemon(daemon.pid, daemon.verb)));
  for (const [group, title] of Object.entries(words.groups)) {
    const checks = report.checks.filter((check) => check.group === group);
    if (checks.length === 0) continue;
    terminal.line();
    terminal.line(paint('bold', title));
    for (const check of checks) showCheck(check, terminal, verbose ? words.expected : null);
  }
  const failing = report.checks.filter(({ status }) => status === 'fail');
  terminal.line();
  if (failing.length > 0) {
    terminal.line(paint('bold', words.attend));
    for (const check of failing) {
      showCheck(check, terminal, words.expected, check.name);
      if (check.fix !== null) showUnder(`${words.fix}: ${check.fix}`, terminal);
    }
    terminal.line();
  }
  const colour = COLOURS[summary.fail > 0 ? 'fail' : summary.warn > 0 ? 'warn' : 'ok'];
  const counts = words.summary(summary.ok, summary.warn, summary.fail);
  terminal.line(paint(colour, failing.length === 0 ? `${words.nothing} ${counts}` : counts));
}

function showCheck(check: DoctorCheck, terminal: Terminal, expected: string | null, whole?: string): void {
  const name = whole ?? check.name.slice(check.group.length + 1);
  const symbol = terminal.paint(COLOURS[check.status], SYMBOLS[check.status]);
  const label = name.padEnd(NAME_COLUMNS);
  const indent = INDENT + NAME_COLUMNS + 1;
  const all = wrap(
    shortDigests(check.found),
    Math.min(terminal.width - indent, whole === undefined ? terminal.width : AGAIN_COLUMNS),
  );
  const lines = whole === undefined ? all : again(all);
  const beside = label.length <= NAME_COLUMNS && (lines[0] ?? '').length <= terminal.width - indent;
  terminal.line(`  ${symbol} ${label}${beside ? ` ${lines.shift() ?? ''}` : ''}`.trimEnd());
  for (const line of lines) showLine(line, terminal);
  if (expected !== null) showUnder(`${expected}: ${check.expected}`, terminal);
  if (whole === undefined && check.status === 'warn' && check.fix !== null)
    showUnder(`→ ${check.fix}`, terminal);
}

function again(lines: readonly string[]): string[] {
  const [last, ...before] = lines.slice(0, AGAIN_LINES).toReversed();
  if (lines.length <= AGAIN_LINES || last === undefined) return [...lines];
  return [...before.toReversed(), `${last} … (in full above)`];
}

function showUnder(text: string, terminal: Terminal): void {
  const indent = INDENT + NAME_COLUMNS + 1;
  for (const line of wrap(text, terminal.width - indent)) showLine(line, terminal, 'dim');
}

/** In the column of what was found; a path that is too long for it begins further left, so that it stays in one piece. */
function showLine(line: string, terminal: Terminal, style?: 'dim'): void {
  const indent = Math.max(2, Math.min(INDENT + NAME_COLUMNS + 1, terminal.width - line.length));
  terminal.line(`${' '.repeat(indent)}${style === undefined ? line : terminal.paint(style, line)}`);
}

/** At spaces, and at line breaks of the text; a word longer than a line stays whole, so that it can be copied. */
function wrap(text: string, width: number): string[] {
  const room = Math.max(20, width);
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > room) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    return [...lines, line];
  });
}
