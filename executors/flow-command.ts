/** A program with its arguments, both as the system takes them: no shell reads them. */
export interface FlowCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** On Windows: the arguments stand on the command line as they are, quoted already. */
  readonly verbatim?: boolean;
  /** What its executor needs beside what every flow gets. */
  readonly environment?: Readonly<Record<string, string>>;
}
