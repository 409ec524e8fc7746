export interface Started {
  readonly url: string;
  /** Absolute. */
  readonly data: string;
  /** console.yaml; null when there is none. */
  readonly file: string | null;
  /** Made just now; null when there was one. */
  readonly apiKey: string | null;
  /** Where the first person is made; null when there is somebody. */
  readonly setupUrl: string | null;
}

/** What `serve` says to people once it listens. */
export function startTexts(
  { url, data, file, apiKey, setupUrl }: Started,
  terminal: {
    /** What a verb needs to work on the same console: nothing, or options with a space before them. */
    readonly hint: string;
    readonly isTerminal: boolean;
    readonly env: NodeJS.ProcessEnv;
  },
): string {
  const isColoured = terminal.isTerminal && !terminal.env['NO_COLOR'] && terminal.env['TERM'] !== 'dumb';
  const styled = (code: number) => (text: string) => (isColoured ? `\u001B[${code}m${text}\u001B[0m` : text);
  const [bold, dim, green] = [styled(1), styled(2), styled(32)];
  const lines = [
    green('The console is listening.'),
    '',
    `  address   ${bold(url)}`,
    `  data      ${data}`,
    ...(file === null ? [] : [`  settings  ${file}`]),
    ...(apiKey === null
      ? []
      : [
          `  API key   ${bold(apiKey)}`,
          `            ${dim('(header X-Api-Key; shown only now, another one: key new)')}`,
        ]),
    '',
    ...(setupUrl === null
      ? []
      : [
          `Open ${bold(setupUrl)}`,
          dim('to make the first person who may sign in; the address is good once.'),
          '',
        ]),
    ...(apiKey === null
      ? []
      : [`Next, in ${process.cwd()}: edge-console tenant add <slug> --root <file>${terminal.hint}`]),
    dim('Ctrl-C ends it.'),
    '',
  ];
  return lines.join('\n');
}
