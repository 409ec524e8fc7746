import type { ConsoleDatabase } from './database.ts';

/** Anybody may ask, and each test is a flush to the disk. */
const EVERY_MS = 5_000;

/**
 * Rejected with `StoreUnwritable` when nothing can be written, with another fault when nothing can be read. Reads each time;
 * writes at most every few seconds, and says the same until the next time.
 */
export function createHealth(
  { prepare, write }: ConsoleDatabase,
  nowMs: () => number = () => performance.now(),
): () => Promise<void> {
  let tested = Number.NEGATIVE_INFINITY;
  let outcome: Promise<void> = Promise.resolve();
  const writeTest = async () =>
    write(() => {
      // Another value each time: what is as it was is not written.
      prepare(
        `INSERT INTO settings (name, value) VALUES ('write_tests', '1')
           ON CONFLICT DO UPDATE SET value = CAST(value + 1 AS TEXT)`,
      ).run();
    });
  return async () => {
    prepare('SELECT 1').get();
    if (nowMs() - tested >= EVERY_MS) {
      tested = nowMs();
      outcome = writeTest();
    }
    return outcome;
  };
}
