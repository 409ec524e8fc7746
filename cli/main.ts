#!/usr/bin/env node
/** `edge-agent`. Internal verbs are children of ours: they load only what they need. */
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// From a checkout, TypeScript is stripped at every start: what was stripped once is kept beside the sources, a third of the time.
if (import.meta.url.endsWith('.ts'))
  module.enableCompileCache(fileURLToPath(new URL('../.cache/compile', import.meta.url)));

// Buffers are freed only when the small objects that hold them are: with the usual 16 MiB of those, a download of 100 MB takes
// 50 MB more. (A command cannot give itself --max-semi-space-size, which counts before the first line is run.)
setFlagsFromString('--semi-space-growth-factor=1');

const OLDEST_NODE = 26;

// A function, as the published program is CommonJS (scripts/build.ts), where nothing may wait at the top level.
async function main(verb: string | undefined): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    const advice = 'install it, or put it first on PATH';
    console.error(`edge-agent: expected Node ${OLDEST_NODE} or newer, found ${process.version}; ${advice}`);
    process.exitCode = 2;
    return;
  }
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
