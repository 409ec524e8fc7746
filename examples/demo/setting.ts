import { join } from 'node:path';
import type { AddedTenant } from '../../console/admin.ts';
import { ENROL_ARGS, enrolMachine, type Fleet, gatherFleet, HOST_COUNT } from './fleet.ts';
import { shortDigest } from './json-view.ts';
import type { Machine } from './machine.ts';
import { createPublisher, type FlowLine, type Publisher } from './publisher.ts';
import {
  addTenant,
  giveTriggerKey,
  holdCeremony,
  type Keys,
  type SaasSide,
  startConsole,
} from './saas-side.ts';
import { BRANCH, type Stage, TENANT } from './stage.ts';

export async function openTheConsole(
  stage: Stage,
): Promise<{ saas: SaasSide; tenant: AddedTenant; keys: Keys }> {
  const { narrator, folder, cleanup } = stage;
  narrator.step('A console, and a tenant with keys of its own');
  const saas = await startConsole(folder, cleanup);
  narrator.good(`the console listens on ${saas.url}: git over HTTP, bundles, enrolment, reports, pages`);
  sayWhereThePageIs(stage, saas);
  const keys = await holdCeremony(join(folder, 'keys'));
  const { own, sha256 } = keys.root;
  narrator.good(
    `key ceremony: root 1 is signed by ${own.signed.length} of its 3 root keys (sha256 ${shortDigest(sha256)}); one more key signs releases, another one commands`,
  );
  const tenant = await addTenant(saas, TENANT, keys);
  await giveTriggerKey(saas, TENANT, keys);
  narrator.good(
    `tenant ${TENANT}: a bare git repository, a folder for bundles, a token to publish with; its page may sign commands`,
  );
  stage.openPage?.(saas.door);
  return { saas, tenant, keys };
}

/** The address that signs in, and what to type where it has been used. */
export function sayWhereThePageIs({ narrator }: Pick<Stage, 'narrator'>, saas: SaasSide): void {
  const { url, person, door } = saas;
  narrator.shown([
    '',
    `Open  ${narrator.paint('bold', door)}`,
    narrator.paint(
      'dim',
      `      signs you in, once; or ${url} as ${person.login}, password ${person.password}`,
    ),
    '',
  ]);
}

export async function publishTheFirstRelease(
  stage: Stage,
  tenant: AddedTenant,
  keys: Keys,
): Promise<{ publisher: Publisher; others: readonly FlowLine[] }> {
  const { narrator, folder, signal, env, program } = stage;
  narrator.step('Release 1 is signed and pushed');
  const publisher = await createPublisher({
    folder: join(folder, 'publisher'),
    tenant,
    keys,
    program,
    env,
    signal,
  });
  const report = await publisher.upload('daily-report', 'v1.0.0');
  const stock = { ...(await publisher.upload('stock-check', 'v1.0.0')), schedule: '* * * * *' };
  const failing = { ...(await publisher.upload('always-fails', 'v1.0.0')), targets: { ring: 'canary' } };
  for (const { id, version, size, sha256 } of [report, stock, failing]) {
    narrator.good(`uploaded ${id} ${version}: ${size} bytes, sha256 ${shortDigest(sha256)}`);
  }
  const others = [stock, failing];
  await publisher.writeManifest([report, ...others]);
  narrator.typed(await publisher.sign());
  const { commit } = await publisher.commitAndPush('Release 1: daily-report v1.0.0');
  narrator.typed(`git push origin ${BRANCH}`);
  narrator.good(
    `commit ${commit.slice(0, 12)} is on ${BRANCH}: manifest.json, release.jws.json, roots/1.root.jws.json`,
  );
  return { publisher, others };
}

/** The first machine, and the others on their way. */
export async function enrolTheMachines(
  stage: Stage,
  saas: SaasSide,
): Promise<{ machine: Machine; gathering: Promise<Fleet> }> {
  const { narrator } = stage;
  narrator.step(`A machine becomes an agent of ${TENANT}`);
  narrator.typed(`edge-agent ${ENROL_ARGS.join(' ')} < token`);
  const { machine, printed } = await enrolMachine(stage, saas);
  const gathering = gatherFleet(stage, saas, machine);
  narrator.printed(printed.trim().split('\n')[0] ?? '');
  narrator.say(
    'It made its device key here and pinned the root that the token named. agent.yaml now names its tunnel, and for the demo it also has labels and keeps its log in this folder.',
  );
  if (process.getuid?.() === 0) {
    narrator.say('You are root here, so it says runs.allow_root: true too; a real machine has runs.user.');
  }
  narrator.say(
    `It is ${machine.host}, played by a folder; ${HOST_COUNT - 1} more are enrolled meanwhile and start their daemons.`,
  );
  return { machine, gathering };
}
