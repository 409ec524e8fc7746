import type { RunReport } from '../schemas/run.ts';

const REPORTS_MAX = 100;
/** Characters of output that a report may have and be kept with it. */
const TEXT_MAX = 32 * 1024;
/** Files that all reports together may list. */
const OUTPUTS_MAX = 10_000;

/** Reports of the runs that ended last, for those who ask a moment later. */
export interface RememberedReports {
  add(report: RunReport): void;
  /** `text` is false when its output is not kept and has to be read from disk: it is empty here. */
  get(runId: string): { readonly report: RunReport; readonly text: boolean } | null;
}

/** At most 100 reports, some 6 MB of output and 10,000 files in them (the last one whatever it lists). */
export function createRememberedReports(): RememberedReports {
  const kept = new Map<string, { readonly report: RunReport; readonly text: boolean }>();
  let outputs = 0;

  function forgetOldest(): void {
    const [oldest] = kept;
    if (oldest === undefined) return;
    kept.delete(oldest[0]);
    outputs -= oldest[1].report.outputs.length;
  }

  return {
    add(report) {
      const text = report.stdout.length + report.stderr.length <= TEXT_MAX;
      kept.set(report.run_id, { text, report: text ? report : { ...report, stdout: '', stderr: '' } });
      outputs += report.outputs.length;
      while (kept.size > REPORTS_MAX || (outputs > OUTPUTS_MAX && kept.size > 1)) forgetOldest();
    },
    get: (runId) => kept.get(runId) ?? null,
  };
}
