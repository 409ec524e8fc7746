import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cast } from './cast.ts';
import { OLD_ARTIFACTS } from './fleet.ts';
import type { Machine } from './machine.ts';
import { sayWhereThePageIs } from './setting.ts';
import type { Stage } from './stage.ts';

/** Puts an `edge-agent` into the machine's folder and says what a person can try, on the page and from another terminal. */
export async function sayWhatNext({ narrator }: Stage, cast: Cast): Promise<void> {
  const { fleet, publisher, saas, tenant } = cast;
  await Promise.all(fleet.all.map(putCommand));
  const { first, broken } = fleet;
  const run = saas.arrivals.runs.findLast(({ flow }) => flow === 'daily-report')?.run_id ?? '<run_id>';
  const bold = (text: string) => narrator.paint('bold', text);
  const line = (text: string, why: string) => {
    const gap = ' '.repeat(Math.max(2, 48 - text.length));
    return `${bold(text)}${gap}${narrator.paint('dim', why)}`;
  };
  narrator.step('Now you');
  narrator.say('The console and the five daemons stay up, and every minute stock-check runs. On the page:');
  sayWhereThePageIs({ narrator }, saas);
  narrator.say(
    `Mend ${broken.host}: its agent.yaml still allows bundles from ${OLD_ARTIFACTS}/ and from nowhere else. Let it name where they are now, press Reconcile on its page (it sees the edit by itself, too), and watch it turn Ready:`,
  );
  narrator.shown([
    '',
    bold(`sed -i.bak 's#${OLD_ARTIFACTS}/#${tenant.artifactsUrl}#' ${shellQuoted(broken.config)}`),
    '',
  ]);
  narrator.say(
    `Then choose ${first.host}: Run, Suspend, or Roll back daily-report to v1.0.0; the console signs it with the trigger key it was given. The same from another terminal:`,
  );
  narrator.shown([
    '',
    bold(`cd ${shellQuoted(first.folder)}`),
    line('./edge-agent status', 'what runs here, and what should'),
    line('./edge-agent trigger daily-report --wait', 'run a flow'),
    line(`./edge-agent logs ${run}`, ''),
    line('./edge-agent events --follow', 'the history, as it happens'),
    '',
  ]);
  narrator.say(
    'Change manifest.json, for instance take a flow out, release that, and watch it reach all five:',
  );
  narrator.shown([
    '',
    bold(`cd ${shellQuoted(publisher.folder)}`),
    bold('../machine/edge-agent release sign --manifest manifest.json \\'),
    bold('  --root roots/1.root.jws.json --key ../keys/release.jwk'),
    bold(`git commit -am 'Release 4' && git push`),
    '',
  ]);
  narrator.say('Ctrl-C ends it all and leaves nothing behind.');
}

async function putCommand({ folder, host, program }: Machine): Promise<void> {
  const command = join(folder, 'edge-agent');
  const quoted = [program.file, ...program.args].map(shellQuoted).join(' ');
  await writeFile(command, `#!/bin/sh\nDEMO_HOST_NAME=${host} exec ${quoted} "$@"\n`);
  await chmod(command, 0o755);
}

function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
