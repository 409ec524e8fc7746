import type { RunLogAck } from '../../schemas/tunnel-frame.ts';

type Position = Pick<RunLogAck, 'run_id' | 'attempt' | 'stream' | 'offset'>;

/** Acknowledgements of log streams that have not been sent: one a stream, the latest. */
export interface LogAcks {
  /** `bytes`: how much has come since. True when the acknowledgement should go out now, not with the next batch. */
  note(position: Position, bytes: number, urgent: boolean): boolean;
  /** From now on everything noted is to be sent. */
  ripen(): void;
  /** The next one to send; it is forgotten here. */
  take(): Position | null;
  readonly size: number;
}

/** At most one acknowledgement a stream for so many bytes, or for each call of `ripen`. */
export function createLogAcks(everyBytes: number): LogAcks {
  const pending = new Map<string, { position: Position; bytes: number; ripe: boolean }>();
  return {
    get size() {
      return pending.size;
    },
    note({ run_id, attempt, stream, offset }, bytes, urgent) {
      const key = `${run_id}/${attempt}/${stream}`;
      const before = pending.get(key);
      const since = (before?.bytes ?? 0) + bytes;
      const ripe = urgent || since >= everyBytes || before?.ripe === true;
      pending.set(key, { position: { run_id, attempt, stream, offset }, bytes: since, ripe });
      return ripe;
    },
    ripen() {
      for (const entry of pending.values()) entry.ripe = true;
    },
    take() {
      for (const [key, { position, ripe }] of pending) {
        if (!ripe) continue;
        pending.delete(key);
        return position;
      }
      return null;
    },
  };
}
