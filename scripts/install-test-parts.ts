// Installs the programs that tests run, and builds the servers they talk to, once per pinned version, into .cache/parts (EDGE_AGENT_CACHE/parts).
// `npm test` runs it first. EDGE_AGENT_SKIP_PARTS=1 leaves it out: the tests that need a part are then skipped.
import { buildPart, missingCompiler } from './parts/build-part.ts';
import { installPrograms, missingPrograms } from './parts/distribution.ts';
import { frpc, frps } from './parts/frp.ts';
import { minio } from './parts/minio.ts';
import { findPart, inCi, type Part, partsFolder } from './parts/part.ts';
import { ffmpeg, playwrightWheels, pythonTuf, uv } from './parts/python-parts.ts';
import { rathole } from './parts/rathole.ts';
import { onlyOne } from './setup/only-one.mjs';

const PARTS: readonly Part[] = [minio, rathole, frpc, frps, uv, playwrightWheels, ffmpeg, pythonTuf];

const missing = process.env['EDGE_AGENT_SKIP_PARTS'] === '1' ? [] : installPrograms(missingPrograms());
if (missing.length > 0) {
  console.error(
    `test parts: expected ${missing.join(', ')} on PATH, found none; install with: apt-get install ${missing.join(' ')}`,
  );
  if (inCi()) process.exitCode = 1;
  else console.error('  THE TESTS THAT NEED THEM WILL BE SKIPPED OR FAIL.');
}

for (const part of PARTS) {
  if (findPart(part) !== null) continue;
  if (process.env['EDGE_AGENT_SKIP_PARTS'] === '1') {
    console.error(
      `test parts: ${part.name} is left out (EDGE_AGENT_SKIP_PARTS=1); its tests will be skipped`,
    );
    continue;
  }
  const wanted = missingCompiler(part);
  if (wanted !== null) {
    console.error(
      `test parts: expected ${wanted} to build ${part.name}, found none on PATH.\n` +
        `  Install it, or put a ${part.name} of your own on PATH.`,
    );
    goOnWithout(part);
    continue;
  }
  console.error(
    `test parts: building ${part.name} ${part.version} once; this takes ${part.takes} ` +
      '(EDGE_AGENT_SKIP_PARTS=1 skips it and its tests)',
  );
  try {
    await onlyOne(new URL('lock', partsFolder()), async () => {
      if (findPart(part) === null) await buildPart(part);
    });
  } catch (error) {
    console.error(`test parts: ${error instanceof Error ? error.message : String(error)}`);
    goOnWithout(part);
  }
}

/** At a desk the other tests are worth running; CI that skips in silence is worth nothing. */
function goOnWithout(part: Part): void {
  if (inCi()) process.exitCode = 1;
  else console.error(`  THE TESTS THAT NEED ${part.name.toUpperCase()} WILL BE SKIPPED.`);
}
