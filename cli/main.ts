#!/usr/bin/env node
/** `edge-agent`. Internal verbs are children of ours: they load only what they need. */
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

export {};
