// A process to be killed: queues what it is told to, and delivers until it ends.
//
//   node test/support/reporting-process.ts <state directory> <saas origin> <run id>…
import { createSystemClock } from '../../system/clock.ts';
import { openReporting, someReport } from './reporting.ts';

const [directory, origin, ...runs] = process.argv.slice(2);
const reporting = openReporting({
  directory: directory as string,
  origin: origin as string,
  clock: createSystemClock(),
});
for (const run of runs) {
  reporting.outbox.run(someReport(run));
  reporting.eventLog.emit({ severity: 'info', reason: 'RunSucceeded', message: `Run ${run}`, run_id: run });
}
process.stdout.write('queued\n');
await reporting.outbox.deliver(new AbortController().signal);
