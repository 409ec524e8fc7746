import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withProgress } from '../setup/with-progress.mjs';
import { cachedPart, type Part, partsFolder } from './part.ts';

/** Builds the part with Go into the cache. Throws with the end of the compiler's output when that fails. */
export async function buildPart(part: Part): Promise<void> {
  mkdirSync(partsFolder(), { recursive: true });
  const scratch = mkdtempSync(join(fileURLToPath(partsFolder()), 'building-'));
  try {
    const target = cachedPart(part);
    const { ok, output, seconds } = await withProgress({
      label: `building ${part.name}`,
      command: 'go',
      // -v prints each package as it is compiled: that is the progress.
      args: ['install', '-v', '-ldflags=-s -w', `${part.goPackage}@${part.version}`],
      env: { ...process.env, GOBIN: scratch, CGO_ENABLED: '0', GOFLAGS: '' },
      cwd: scratch,
    });
    if (!ok) {
      throw new Error(
        `expected \`go install ${part.goPackage}@${part.version}\` to build ${part.name}; it failed.\n` +
          `${output.split('\n').slice(-12).join('\n')}\n` +
          `Check the network and Go's module proxy (\`go env GOPROXY\`), put a ${part.name} of your own on PATH, ` +
          'or skip it with EDGE_AGENT_SKIP_PARTS=1.',
      );
    }
    mkdirSync(dirname(target), { recursive: true });
    // Renamed as the last step: a build that was ended leaves nothing that looks complete.
    renameSync(join(scratch, basename(target)), target);
    console.error(`test parts: ${part.name} built in ${seconds} s`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
