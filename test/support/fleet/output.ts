import type { RunStatus } from '../../../schemas/run.ts';
import type { SeededChance } from './chance.ts';
import type { LeftFile } from './device.ts';
import { screenshot } from './picture.ts';

/** What one run printed and left. */
export interface RunText {
  readonly status: RunStatus;
  readonly exitCode: number | null;
  readonly reason: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: readonly LeftFile[];
}

const ESC = '\u001b';
const green = (text: string) => `${ESC}[32m${text}${ESC}[0m`;
const red = (text: string) => `${ESC}[31m${text}${ESC}[0m`;
const yellow = (text: string) => `${ESC}[33m${text}${ESC}[0m`;
const dim = (text: string) => `${ESC}[2m${text}${ESC}[0m`;
const bold = (text: string) => `${ESC}[1m${text}${ESC}[0m`;
const CUSTOMERS = ['Dupont & Fils', 'Boulangerie Morin', 'Garage Weiß', 'Atelier Zoé', 'SARL Kerguelen'];

/** A run that did what it was made for. */
export function goodRun(flow: string, chance: SeededChance): RunText {
  const count = chance.between(3, 40);
  const lines = Array.from(
    { length: Math.min(count, 12) },
    (_, index) =>
      `${green('✓')} ${chance.pick(CUSTOMERS)} ${dim(`FAC-${2_026_000 + chance.between(1, 999)}`)} ${(chance.between(900, 990_000) / 100).toFixed(2)} €${index % 5 === 4 ? yellow('  (credit note)') : ''}`,
  );
  const csv = `number;amount\n${Array.from({ length: count }, (_, index) => `FAC-${index};${index * 3}.50`).join('\n')}\n`;
  const files =
    flow === 'invoice-bot'
      ? [
          { name: 'invoices.csv', bytes: Buffer.from(csv) },
          { name: 'confirmation.png', bytes: screenshot([31, 122, 77]) },
        ]
      : [];
  return {
    status: 'succeeded',
    exitCode: 0,
    reason: null,
    stdout: `${bold(`${flow}: ${count} to do`)}\n${lines.join('\n')}\n${green(`done, ${count} of ${count}`)}\n`,
    stderr: '',
    files,
  };
}

const TRACE = `Traceback (most recent call last):
  File "/opt/edge/EdgeFlows/acme/flows/invoice-bot/v1.1.0/runner_42.py", line 88, in <module>
    main()
  File "/opt/edge/EdgeFlows/acme/flows/invoice-bot/v1.1.0/runner_42.py", line 61, in main
    page.get_by_role("button", name="Valider").click()
playwright._impl._errors.TimeoutError: Locator.click: Timeout 30000ms exceeded.
Call log:
  - waiting for get_by_role("button", name="Valider")
`;

/** A browser flow whose page has changed: coloured words, a trace, and a picture of what it saw. */
export function brokenPageRun(): RunText {
  return {
    status: 'failed',
    exitCode: 1,
    reason: null,
    stdout: [
      bold('invoice-bot: 14 to do'),
      `${green('✓')} signed in as ${ESC}[36mcompta@acme.example${ESC}[0m`,
      `${green('✓')} ${ESC}[4mhttps://portal.example/invoices${ESC}[0m ${dim('200 in 412 ms')}`,
      `${yellow('⚠')} the page has a banner it did not have yesterday: « Maintenance prévue ce soir »`,
      `${red('✗')} ${ESC}[1;41;97m FAILED ${ESC}[0m FAC-2026117 Dupont & Fils 1 204.50 €`,
      '',
    ].join('\n'),
    stderr: red(TRACE),
    files: [{ name: 'what-it-saw.png', bytes: screenshot([176, 36, 24]) }],
  };
}

export function crashedRun(chance: SeededChance): RunText {
  const port = chance.pick([5_432, 1_433, 3_306]);
  return {
    status: 'failed',
    exitCode: 3,
    reason: null,
    stdout: 'reading orders since 2026-11-20T00:00:00\n',
    stderr: `${red('ConnectionRefusedError')}: [Errno 111] Connection refused: erp.acme.lan:${port}\n${dim('3 attempts in 30 s')}\n`,
    files: [],
  };
}

export function lateRun(): RunText {
  return {
    status: 'timed_out',
    exitCode: null,
    reason: 'timed out after 10m; killed, as it did not end within 10s of the interrupt',
    stdout: 'waiting for the ERP export…\n'.repeat(40),
    stderr: '',
    files: [],
  };
}

export function cancelledRun(): RunText {
  return {
    status: 'cancelled',
    exitCode: null,
    reason: 'cancelled; it ended when interrupted',
    stdout: 'page 1 of 80\npage 2 of 80\n',
    stderr: 'interrupted\n',
    files: [],
  };
}

/** About 1.6 MB in 20,000 lines, with something to search for in it. */
export function longRun(): RunText {
  const lines = Array.from({ length: 20_000 }, (_, index) => {
    const at = `${dim(`[${String(index).padStart(5, '0')}]`)} `;
    if (index === 12_345)
      return `${at}${red('ERROR')} record 12345 was refused: the VAT number FR00 is wrong`;
    if (index % 1_000 === 999) return `${at}${yellow('WARN')} slow answer: ${1_000 + (index % 700)} ms`;
    return `${at}${green('INFO')} record ${index} is in step, nothing to do for customer ${index % 977}`;
  });
  return {
    status: 'succeeded',
    exitCode: 0,
    reason: null,
    stdout: `${lines.join('\n')}\n`,
    stderr: 'DeprecationWarning: datetime.utcnow() is deprecated\n'.repeat(3),
    files: [],
  };
}

/** What a page must show as text and a terminal must not act upon. */
export function hostileRun(): RunText {
  return {
    status: 'failed',
    exitCode: 127,
    reason: '<img src=x onerror=alert("reason")> \u202Edesrever',
    stdout: [
      '<script>document.title = "owned"</script>',
      '<a href="javascript:alert(1)">click me</a>',
      `${ESC}]0;a title${ESC}\\${ESC}]8;;javascript:alert(1)${ESC}\\a link of the terminal${ESC}]8;;${ESC}\\`,
      `${ESC}[2J${ESC}[H${ESC}[5;31mblinking${ESC}[0m ${ESC}[38;2;255;0;255mtrue colour${ESC}[0m ${ESC}[48;5;22m256 colours${ESC}[0m`,
      'progress 1 %\rprogress 50 %\rprogress 100 %',
      '\u202Eright to left override, never ended',
      'مرحبا بالعالم · שלום עולם · 你好，世界 · 🏳️‍🌈 👩‍👩‍👧‍👦',
      'nul \u0000 bell \u0007 backspace abc\b\b\bx',
      'one line of ten thousand letters '.repeat(310),
      '',
    ].join('\n'),
    stderr: `${ESC}[31m'; DROP TABLE runs; --${ESC}[0m\n\uFFFD\uFFFE`,
    files: [
      {
        name: '<svg onload=alert(1)>.svg',
        bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
      },
      { name: 'not really a picture.png', bytes: Buffer.from('<html><script>alert(1)</script></html>') },
      { name: `${'long name '.repeat(20)}\u202Etxt.exe`, bytes: Buffer.from('MZ') },
    ],
  };
}
