#!/usr/bin/env node
/** `edge-agent`. Internal verbs are children of ours: they load only what they need. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// From a checkout, TypeScript is stripped at every start: what was stripped once is kept beside the sources, a third of the time.
if (import.meta.url.endsWith('.ts')) enableCompileCache(fileURLToPath(new URL('../.cache/compile', import.meta.url)));

const verb = process.argv[2];
if (verb === 'internal-fetch') {
  const { runFetcherProcess } = await import('../agent/internal-verbs.ts').then((verbs) => verbs.fetcher());
  await runFetcherProcess({ stdin: process.stdin, stdout: process.stdout });
} else if (verb === 'internal-unpack') {
  const { runUnpacker } = await import('../agent/internal-verbs.ts').then((verbs) => verbs.unpacker());
  await runUnpacker();
} else {
  const { runProgram } = await import('./program.ts');
  await runProgram(process.argv);
}
