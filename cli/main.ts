#!/usr/bin/env node
/** `edge-agent`. Internal verbs are children of ours: they load only what they need. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// From a checkout, TypeScript is stripped at every start: what was stripped once is kept beside the sources, a third of the time.
if (import.meta.url.endsWith('.ts'))
  enableCompileCache(fileURLToPath(new URL('../.cache/compile', import.meta.url)));

// A function, as the published program is CommonJS (scripts/build.ts), where nothing may wait at the top level.
async function main(verb: string | undefined): Promise<void> {
  if (verb === 'internal-fetch') {
    const { runFetcherProcess } = await import('../agent/internal-verbs.ts').then((verbs) => verbs.fetcher());
    return runFetcherProcess({ stdin: process.stdin, stdout: process.stdout });
  }
  if (verb === 'internal-unpack') {
    const { runUnpacker } = await import('../agent/internal-verbs.ts').then((verbs) => verbs.unpacker());
    return runUnpacker();
  }
  const { runProgram } = await import('./program.ts');
  return runProgram(process.argv);
}

void main(process.argv[2]);
