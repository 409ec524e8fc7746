/** Runs one command of a build. Throws with the end of its output when it fails. */
export type RunStep = (
  command: string,
  args: readonly string[],
  options?: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
) => Promise<string>;
