import type { RunReport } from '../schemas/run.ts';
import { judge, type ReportSender } from './delivery.ts';

const NOTIFY_PATH = '/edge/notify';

/**
 * `POST /edge/notify` (contract, section 7): one finished run. The queue's key is `<run_id>.<attempt>`, which is the idempotency
 * key. `accepted` hears the body of a 2xx answer before the report is forgotten, so what it asks for is not lost in between.
 */
export function createNotifySender(
  accepted: (report: RunReport, answer: string) => void = () => {},
): ReportSender {
  return {
    kind: 'notify',
    describe: (report) => `the report of run ${report.key}`,
    async send(report, post, signal) {
      const headers = { 'idempotency-key': report.key };
      const answer = await post(NOTIFY_PATH, report.body, headers, signal);
      const delivery = judge(NOTIFY_PATH, answer);
      if (delivery.kind === 'delivered' && answer.kind === 'answer')
        accepted(report.body as RunReport, answer.body);
      return delivery;
    },
  };
}
