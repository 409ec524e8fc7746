import { judge, type ReportSender } from './delivery.ts';

const NOTIFY_PATH = '/edge/notify';

/** `POST /edge/notify` (contract, section 7): one finished run. The queue's key is `<run_id>.<attempt>`, which is the idempotency key. */
export function createNotifySender(): ReportSender {
  return {
    kind: 'notify',
    describe: (report) => `the report of run ${report.key}`,
    async send(report, post, signal) {
      const headers = { 'idempotency-key': report.key };
      return judge(NOTIFY_PATH, await post(NOTIFY_PATH, report.body, headers, signal));
    },
  };
}
