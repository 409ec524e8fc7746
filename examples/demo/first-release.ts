import type { Alone } from './cast.ts';
import { folderTree } from './folder-tree.ts';
import { jsonView } from './json-view.ts';
import { pointerLines } from './pointer-view.ts';
import { ORDERS, type Stage, TENANT } from './stage.ts';

export async function reconcileOnce(stage: Stage, { machine }: Alone): Promise<void> {
  const { narrator } = stage;
  narrator.step('Reconcile: what the commit says becomes versions on disk');
  narrator.typed('edge-agent reconcile');
  const { all } = await machine.agent(['reconcile']);
  narrator.printed(all);
  narrator.say('On disk now, and where the pointer points:');
  narrator.shown(await folderTree(machine.versions, `EdgeFlows/${TENANT}`));
  narrator.shown(pointerLines((await machine.pointer()).current));
}

export async function runAFlow(stage: Stage, { machine, saas }: Alone): Promise<void> {
  const { narrator, signal } = stage;
  narrator.step('A flow runs, and its result arrives at /edge/notify');
  narrator.typed(`edge-agent trigger daily-report --input '{"orders": [...]}' --wait`);
  const { all } = await machine.agent(['trigger', 'daily-report', '--input', ORDERS, '--wait']);
  narrator.printed(all);
  const report = await saas.arrivals.run(
    'the result of daily-report at /edge/notify',
    ({ flow }) => flow === 'daily-report',
    signal,
  );
  narrator.good('the console received (digests cut short):');
  narrator.shown(jsonView(report));
}

export async function runAFailingFlow(stage: Stage, { machine, saas }: Alone): Promise<void> {
  const { narrator, signal } = stage;
  narrator.step('A flow that fails on purpose fails alone');
  narrator.typed('edge-agent trigger always-fails --wait');
  const { all, code } = await machine.agent(['trigger', 'always-fails', '--wait'], { expected: [6] });
  narrator.printed(all);
  const { status, exit_code, stderr } = await saas.arrivals.run(
    'the result of always-fails at /edge/notify',
    ({ flow }) => flow === 'always-fails',
    signal,
  );
  narrator.good(
    `the command ended with exit code ${code}; the console received ${JSON.stringify({ status, exit_code, stderr: stderr.trim() })}`,
  );
}
