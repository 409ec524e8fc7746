const COLOURS: Readonly<Record<string, string>> = {
  trace: '\u001b[2m',
  debug: '\u001b[2m',
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};
const RESET = '\u001b[0m';
const DIM = '\u001b[2m';

/** A JSON line of the log as a person reads it: `15:04:05 WARN  message  member=value`. Stack traces stay in the file. */
export function formatForPeople(line: string, colour: boolean): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const paint = (code: string, text: string) => (colour ? `${code}${text}${RESET}` : text);
  const clock = new Date(String(time));
  const at = [clock.getHours(), clock.getMinutes(), clock.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${formatValue(value)}`);
  const label = paint(COLOURS[String(level)] ?? '', String(level).toUpperCase().padEnd(5));
  return `${paint(DIM, at)} ${label} ${printable(typeof msg === 'string' ? msg : '')}${paint(DIM, printable(rest.join('')))}\n`;
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return /[\s"=]/.test(value) || value === '' ? JSON.stringify(value) : value;
  if (typeof value === 'object' && value !== null && 'type' in value && 'message' in value) {
    return JSON.stringify(value.message);
  }
  return JSON.stringify(value);
}

/** Texts from servers and flows must not move the cursor or change the terminal. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- what would move the cursor of a terminal is looked for
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '�');
}
