import { createHash } from 'node:crypto';
import type { RunReport } from '../schemas/run.ts';
import type { Status } from '../schemas/status.ts';
import type { SummaryChange } from './store/ports/fleet.ts';
import type { ReportRows, RunOutcome } from './store/ports/reports.ts';
import type { TenantScope } from './store/ports/tenant-scope.ts';

export type RunFound =
  | { readonly kind: 'report'; readonly body: unknown }
  | { readonly kind: 'ambiguous'; readonly agents: number }
  | { readonly kind: 'none' };

/** What agents report, as documents; kept as the text that was sent. */
export interface ReportStore extends Pick<ReportRows, 'runs' | 'ending' | 'prune'> {
  /** Stored once a key, together with how the run went (`RunProgressStore`); the same again is `replayed`, another body under the key a `conflict`. `body` is what the agent sent. */
  addRun(agentId: string, key: string, report: RunReport, body: unknown, at: Date): Promise<RunOutcome>;
  /** The newest notify body of the run, as the agent sent it; several agents may have reported the same id. */
  run(
    runId: string,
    of: { readonly agent?: string | undefined; readonly tenants?: TenantScope },
  ): Promise<RunFound>;
  /** `status` is what was read of `body`, which is what the agent sent. The fleet's summary of it is written with it. */
  setStatus(agentId: string, status: Status, body: unknown, at: Date): Promise<SummaryChange>;
  status(agentId: string): Promise<{ readonly received_at: string; readonly status: unknown } | null>;
}

export function createReportStore(rows: ReportRows): ReportStore {
  return {
    ...rows,
    async addRun(agentId, key, report, body, at) {
      const text = JSON.stringify(body);
      const sha256 = createHash('sha256').update(text).digest('hex');
      return rows.addRun(agentId, key, report, { text, sha256 }, at);
    },
    async run(runId, of) {
      const newest = await rows.newest(runId, of);
      if (newest === null) return { kind: 'none' };
      if (newest.agents > 1) return { kind: 'ambiguous', agents: newest.agents };
      return { kind: 'report', body: JSON.parse(newest.text) as unknown };
    },
    setStatus: async (agentId, status, body, at) => rows.setStatus(agentId, status, JSON.stringify(body), at),
    async status(agentId) {
      const found = await rows.status(agentId);
      if (found === null) return null;
      return { received_at: found.received_at, status: JSON.parse(found.text) as unknown };
    },
  };
}
