/**
 * The words after cmd.exe that run a batch file with these arguments, as they must stand on the command line (Node is to quote
 * nothing). Untried here: needs Windows. cmd.exe reads more than words: within quotes `&|<>^()` are plain, delayed expansion
 * (`!`) is off, and `%` is followed by what expands to nothing, so that no name can stand behind it. `/s` takes away the outer quotes.
 * Null when there is a line break, which no quoting brings through. Sources: `cmd /?`; Rust's `make_bat_command_line`.
 */
export function batchArguments(file: string, args: readonly string[]): string[] | null {
  const words = [file, ...args];
  if (words.some((word) => /[\r\n]/.test(word))) return null;
  const line = [quoted(file), ...args.map((arg) => (PLAIN.test(arg) ? arg : quoted(arg)))].join(' ');
  return ['/e:ON', '/v:OFF', '/d', '/s', '/c', `"${line}"`];
}

/** Neither cmd.exe nor the reading of `%1` in a batch file sees anything in them (`=`, `,` and `;` part words). */
const PLAIN = /^[A-Za-z0-9#$*+./:?@\\_-]*[A-Za-z0-9#$*+./:?@_-]$/;

/** Backslashes before a quote are doubled, as programs that the batch file hands it on to read them. */
function quoted(word: string): string {
  const inside = word
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/\\+$/, '$&$&')
    .replaceAll('%', '%%cd:~,%');
  return `"${inside}"`;
}
