import type { Retry, Stalled } from '../reconciler/ports.ts';
import type { Installed } from './installer-process.ts';

const LINES = 6;
const LINE_CHARS = 300;

/** What pip and uv say when the files are not those of the lock. Looked for before everything else. */
const MISMATCH =
  /DO NOT MATCH THE HASHES|Hash mismatch for|Hashes are required|Hash-checking is required|all requirements must have/i;
const DISK_FULL = /No space left on device|os error 28|ENOSPC|not enough space on the disk/i;
/** Signs that the index did not answer. A missing package looks like a missing network to pip, so these come first. */
const NETWORK = [
  /Retrying \(Retry\(|NewConnectionError|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError/,
  /Temporary failure in name resolution|Name or service not known|getaddrinfo|dns error|Connection (?:refused|reset)/i,
  // pip says no more when an index does not answer: that there is no file at all.
  /\(from versions: none\)/,
  /error sending request|operation timed out|Failed to fetch|Could not connect|client error \(Connect\)|HTTP error (?:429|5\d\d)|status (?:code )?(?:429|5\d\d)/i,
];
const IMPOSSIBLE = [
  /No matching distribution found|Could not find a version that satisfies|ResolutionImpossible|conflicting dependencies/i,
  /No solution found|there (?:is|are) no version|has no (?:usable )?wheels|requires a different Python|Invalid requirement/i,
  /is not a supported wheel|no wheels with a matching/i,
];

/**
 * What follows from a failed installation: a person must make another lock (`requirements_invalid`), or it is tried again
 * (`environment_failed`, `disk_full`). The message ends with the installer's last lines.
 */
export function installerFailure(tool: string, result: Installed): Stalled | Retry {
  const { output } = result;
  const lines = lastLines(output);
  const how = result.found ?? `exit code ${result.exitCode}`;
  const said = lines === '' ? how : `${how}: ${lines}`;
  if (DISK_FULL.test(output))
    return { kind: 'retry', code: 'disk_full', message: `${tool} found no space left: ${said}` };
  if (MISMATCH.test(output)) {
    const message = `${tool} refuses what the lock asks for, as hashes do not match or are missing: ${said}. Make the lock again`;
    return { kind: 'stalled', code: 'requirements_invalid', message };
  }
  if (!NETWORK.some((sign) => sign.test(output)) && IMPOSSIBLE.some((sign) => sign.test(output))) {
    const message = `${tool} cannot install what the lock asks for as wheels for this Python: ${said}. Make the lock for it`;
    return { kind: 'stalled', code: 'requirements_invalid', message };
  }
  return {
    kind: 'retry',
    code: 'environment_failed',
    message: `${tool} did not install the packages: ${said}`,
  };
}

/** One line, for a message. */
export function lastLines(output: string): string {
  return output
    .split(/\r?\n|\r/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('[notice]'))
    .slice(-LINES)
    .map((line) => (line.length > LINE_CHARS ? `${line.slice(0, LINE_CHARS)}…` : line))
    .join(' | ');
}
