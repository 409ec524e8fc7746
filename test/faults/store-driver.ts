import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createVersionStore } from '../../store/cache.ts';
import { openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createSystemClock } from '../../system/clock.ts';
import { spawnUnpacker } from '../support/spawn-unpacker.ts';

/**
 * A process to be killed: one flow from download to activation, as a reconcile does it.
 * Arguments: cache folder, bundle file, its sha256, version. Prints how it ended as one JSON line.
 */
const [cacheDirectory = '', bundle = '', sha256 = '', version = ''] = process.argv.slice(2);
const stateDirectory = join(cacheDirectory, '.agent');
const path = `flows/bot/${version}`;
const revision = `tenant/acme@sha1:${sha256.slice(0, 40)}`;

const database = openDatabase(join(stateDirectory, 'agent.db'));
const documents = createStateDocuments(database);
const store = createVersionStore({
  cacheDirectory,
  slug: 'acme',
  stateDirectory,
  documents,
  spawnChild: spawnUnpacker,
  clock: createSystemClock(),
});

try {
  const recovered = await store.recover(new Date());
  const outcome = await activate();
  console.log(JSON.stringify({ recovered, outcome }));
} catch (error) {
  const { name, code, message } = error as NodeJS.ErrnoException;
  console.log(JSON.stringify({ thrown: { name, code, message } }));
}
await store.close();
database.close();

async function activate() {
  if (!(await store.hasBundle(sha256))) {
    const part = await store.openDownload(sha256);
    try {
      if (part.offset === 0) await part.restart('"etag"');
      for await (const chunk of createReadStream(bundle, { start: part.offset }))
        await part.write(chunk as Buffer);
      const finished = await part.finish();
      if (finished.kind === 'mismatch') return finished;
    } finally {
      await part.keep();
    }
  }
  if ((await store.record(path)) === null) {
    const caps = { maxBytes: 100_000_000, maxFiles: 1_000 };
    const signal = new AbortController().signal;
    const unpacked = await store.unpack({ sha256, path, flow: 'bot', version }, caps, signal);
    if (unpacked.kind !== 'unpacked') return unpacked;
  }
  const to = { version, sha256, path, revision, held: null };
  await store.point([{ flow: 'bot', to }], null, () => documents.write('outbox', version));
  return { kind: 'activated' };
}
