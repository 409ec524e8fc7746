import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_MAIN } from './program.ts';
import type { Cast, Stage } from './stage.ts';

/** Puts an `edge-agent` into the machine's folder and says what a person can try from another terminal. */
export async function sayWhatNext({ narrator }: Stage, { machine, publisher, saas }: Cast): Promise<void> {
  const command = join(machine.folder, 'edge-agent');
  const quoted = [process.execPath, AGENT_MAIN].map(shellQuoted).join(' ');
  await writeFile(command, `#!/bin/sh\nexec ${quoted} "$@"\n`);
  await chmod(command, 0o755);
  const run = saas.arrivals.runs.at(-1)?.run_id ?? '<run_id>';
  const line = (text: string, why: string) => {
    const gap = ' '.repeat(Math.max(2, 48 - text.length));
    return `${narrator.paint('bold', text)}${gap}${narrator.paint('dim', why)}`;
  };
  narrator.step('Now you');
  narrator.say('The console and the daemon stay up. In another terminal:');
  narrator.shown([
    '',
    narrator.paint('bold', `cd ${shellQuoted(machine.folder)}`),
    line('./edge-agent status', 'refused, and still at work'),
    line('./edge-agent trigger daily-report --wait', 'run a flow'),
    line('./edge-agent runs', 'what has run'),
    line(`./edge-agent logs ${run}`, ''),
    line('./edge-agent events --follow', 'the history, as it happens'),
    '',
  ]);
  narrator.say('Take the tampering back and watch the agent become Ready again:');
  narrator.shown([
    '',
    narrator.paint('bold', `cd ${shellQuoted(publisher.folder)}`),
    narrator.paint('bold', 'git revert --no-edit HEAD && git push'),
    '',
  ]);
  narrator.say('Or change manifest.json there, for instance take a flow out, and release that:');
  narrator.shown([
    '',
    narrator.paint('bold', '../machine/edge-agent release sign --manifest manifest.json \\'),
    narrator.paint('bold', '  --root roots/1.root.jws.json --key ../keys/release.jwk'),
    narrator.paint('bold', `git commit -am 'Release 4' && git push`),
    '',
  ]);
  narrator.say('Ctrl-C ends it all and leaves nothing behind.');
}

function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
