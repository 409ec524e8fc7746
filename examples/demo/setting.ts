import { join } from 'node:path';
import type { AddedTenant } from '../../console/admin.ts';
import { shortDigest } from './json-view.ts';
import { createMachine, type Machine } from './machine.ts';
import { createPublisher, type FlowLine, type Publisher } from './publisher.ts';
import { addTenant, holdCeremony, type Keys, type SaasSide, startConsole } from './saas-side.ts';
import { BRANCH, type Stage, TENANT } from './stage.ts';

export async function openTheConsole(
  stage: Stage,
): Promise<{ saas: SaasSide; tenant: AddedTenant; keys: Keys }> {
  const { narrator, folder, cleanup } = stage;
  narrator.step('A console, and a tenant with keys of its own');
  const saas = await startConsole(folder, cleanup);
  narrator.good(`the console listens on ${saas.url}: git over HTTP, bundles, enrolment, reports`);
  const keys = await holdCeremony(join(folder, 'keys'));
  const { own, sha256 } = keys.root;
  narrator.good(
    `key ceremony: root 1 is signed by ${own.signed.length} of its 3 root keys (sha256 ${shortDigest(sha256)}); one more key signs releases, another one commands`,
  );
  const tenant = await addTenant(saas, TENANT, keys);
  narrator.good(`tenant ${TENANT}: a bare git repository, a folder for bundles, a token to publish with`);
  return { saas, tenant, keys };
}

export async function publishTheFirstRelease(
  stage: Stage,
  tenant: AddedTenant,
  keys: Keys,
): Promise<{ publisher: Publisher; failing: FlowLine }> {
  const { narrator, folder, signal, env } = stage;
  narrator.step('Release 1 is signed and pushed');
  const publisher = await createPublisher({ folder: join(folder, 'publisher'), tenant, keys, env, signal });
  const report = await publisher.upload('daily-report', 'v1.0.0');
  const failing = await publisher.upload('always-fails', 'v1.0.0');
  for (const { id, version, size, sha256 } of [report, failing]) {
    narrator.good(`uploaded ${id} ${version}: ${size} bytes, sha256 ${shortDigest(sha256)}`);
  }
  await publisher.writeManifest([report, failing]);
  narrator.typed(await publisher.sign());
  const { commit } = await publisher.commitAndPush('Release 1: daily-report v1.0.0');
  narrator.typed(`git push origin ${BRANCH}`);
  narrator.good(
    `commit ${commit.slice(0, 12)} is on ${BRANCH}: manifest.json, release.jws.json, roots/1.root.jws.json`,
  );
  return { publisher, failing };
}

export async function enrolTheMachine(stage: Stage, saas: SaasSide): Promise<Machine> {
  const { narrator, folder, signal, env } = stage;
  narrator.step('A machine becomes an agent of acme');
  const machine = await createMachine({ folder: join(folder, 'machine'), tenant: TENANT, env, signal });
  const token = await saas.admin.makeEnrolmentToken({ slug: TENANT });
  const args = ['enroll', '--config', 'agent.yaml', '--cache-dir', 'EdgeFlows'];
  narrator.typed(`edge-agent ${args.join(' ')} < token`);
  const { stdout } = await machine.agent(args, { input: token });
  narrator.printed(stdout.trim().split('\n')[0] ?? '');
  const root = process.getuid?.() === 0;
  await machine.adjust([
    [['log', 'dir'], './log'],
    ...(root ? [[['runs', 'allow_root'], true] as const] : []),
  ]);
  narrator.say(
    `It made its device key here and pinned the root that the token named. agent.yaml now names its tunnel, and for the demo it also keeps its log in this folder.`,
  );
  if (root) {
    narrator.say('You are root here, so it says runs.allow_root: true too; a real machine has runs.user.');
  }
  return machine;
}
