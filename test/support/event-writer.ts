// A process to be traced: emits events between two marks on standard error.
//
//   node test/support/event-writer.ts <state directory> <count>
import fs from 'node:fs';
import { openEventLog } from '../../sinks/event-log.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { recordingLog } from './recording-log.ts';

const [directory, count] = process.argv.slice(2);
const log = openEventLog({
  directory: directory as string,
  tenant: 'acme',
  agentId: () => null,
  clock: createSystemClock(),
  chance: createSystemChance(),
  log: recordingLog(),
});
fs.writeSync(2, 'mark: emitting\n');
for (let n = 1; n <= Number(count); n += 1) {
  log.emit({ severity: 'info', reason: 'RevisionSeen', message: `Revision ${n}` });
}
fs.writeSync(2, 'mark: emitted\n');
log.close();
