import type { DoctorGroup } from '../../schemas/doctor.ts';
import { printable } from '../../system/printable.ts';

/** What follows for the exit code when it fails: 2 the configuration, 4 a person must act, 5 the network. */
export type FailureCode = 2 | 4 | 5;

/** What one look came to. */
export interface Finding {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly found: string;
  readonly expected: string;
  readonly fix: string | null;
  readonly code?: FailureCode;
}

/** A look at one thing; it may come to several findings. Changes nothing, and throws for bugs only. */
export interface Check {
  readonly group: DoctorGroup;
  /** Under which it is told when it does not end, or breaks. */
  readonly name: string;
  readonly code: FailureCode;
  readonly expected: string;
  readonly deadlineMs?: number;
  run(signal: AbortSignal): Promise<Finding | readonly Finding[]>;
}

export const ok = (name: string, found: string, expected: string): Finding => ({
  name,
  status: 'ok',
  found,
  expected,
  fix: null,
});

export const warn = (name: string, found: string, expected: string, fix: string | null): Finding => ({
  name,
  status: 'warn',
  found,
  expected,
  fix,
});

export const fail = (
  name: string,
  found: string,
  expected: string,
  fix: string | null,
  code?: FailureCode,
): Finding => ({ name, status: 'fail', found, expected, fix, ...(code === undefined ? {} : { code }) });

const DEADLINE_MS = 15_000;

export type CheckedFinding = Finding & { readonly group: DoctorGroup; readonly code: FailureCode };

/** All at once, each with its own deadline; in the order of the list, whichever ends first. Rejects with the signal's reason only. */
export async function runChecks(checks: readonly Check[], signal: AbortSignal): Promise<CheckedFinding[]> {
  const found = await Promise.all(checks.map((check) => runCheck(check, signal)));
  signal.throwIfAborted();
  return found.flat();
}

async function runCheck(check: Check, signal: AbortSignal): Promise<CheckedFinding[]> {
  const { group, name, code, expected, deadlineMs = DEADLINE_MS } = check;
  const late = AbortSignal.timeout(deadlineMs);
  const both = AbortSignal.any([signal, late]);
  let findings: readonly Finding[];
  try {
    // a look that hears no signal is left behind at its deadline all the same
    const ended = new Promise<never>((_, reject) => {
      both.addEventListener('abort', () => reject(both.reason as Error), { once: true });
    });
    ended.catch(() => undefined);
    findings = [await Promise.race([check.run(both), ended])].flat();
  } catch (error) {
    const why = late.aborted
      ? `no answer within ${deadlineMs / 1_000} s`
      : `the look itself failed: ${error instanceof Error ? error.message : String(error)}`;
    findings = [fail(name, why, expected, null)];
  }
  // names in certificates and words of servers are anybody's
  return findings.map((finding) => ({
    ...finding,
    found: printable(finding.found),
    group,
    code: finding.code ?? code,
  }));
}
