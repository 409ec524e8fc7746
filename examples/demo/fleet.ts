import { createMachine, type Machine } from './machine.ts';
import type { SaasSide } from './saas-side.ts';
import { type Stage, TENANT } from './stage.ts';

/** The first is the one that the story looks at from near. */
const HOSTS = [
  { host: 'LYON-OFFICE-01', labels: { site: 'lyon', ring: 'canary' } },
  { host: 'LYON-OFFICE-02', labels: { site: 'lyon', ring: 'stable' } },
  { host: 'LILLE-SHOP-01', labels: { site: 'lille', ring: 'stable' } },
  { host: 'NANTES-DEPOT-01', labels: { site: 'nantes', ring: 'stable' } },
  { host: 'PARIS-SHOP-01', labels: { site: 'paris', ring: 'stable' } },
] as const;

/** Whose agent.yaml allows bundles from where they were before, and from nowhere else. */
const BROKEN = 'PARIS-SHOP-01';
export const OLD_ARTIFACTS = 'https://artifacts-old.acme.example';

/** All machines of the tenant: each a real `edge-agent` with a configuration, a cache and a daemon of its own. */
export interface Fleet {
  /** The one of the story; enrolled, its daemon not started. */
  readonly first: Machine;
  readonly broken: Machine;
  readonly all: readonly Machine[];
}

export const HOST_COUNT = HOSTS.length;

/** Enrols a machine, with what it printed. */
export async function enrolMachine(
  stage: Stage,
  saas: SaasSide,
  { host, labels }: (typeof HOSTS)[number] = HOSTS[0],
): Promise<{ machine: Machine; printed: string }> {
  const { folder, signal, env, program } = stage;
  const name = host === HOSTS[0].host ? 'machine' : host.toLowerCase();
  const machine = await createMachine({
    folder: `${folder}/${name}`,
    host,
    tenant: TENANT,
    program,
    env,
    signal,
  });
  const token = await saas.admin.makeEnrolmentToken({ slug: TENANT });
  const { stdout } = await machine.agent(ENROL_ARGS, { input: token });
  await machine.adjust([
    [['labels'], labels],
    [['log', 'dir'], './log'],
    ...(process.getuid?.() === 0 ? [[['runs', 'allow_root'], true] as const] : []),
    ...(host === BROKEN ? [[['artifacts', 'allow'], [`${OLD_ARTIFACTS}/`]] as const] : []),
  ]);
  return { machine, printed: stdout };
}

export const ENROL_ARGS = ['enroll', '--config', 'agent.yaml', '--cache-dir', 'EdgeFlows'] as const;

/** Enrols the others, all at once, and starts their daemons. `cleanup` ends every daemon, that of `first` too. */
export function gatherFleet(stage: Stage, saas: SaasSide, first: Machine): Promise<Fleet> {
  const { cleanup, fail } = stage;
  const started = [first];
  const others = Promise.all(
    HOSTS.slice(1).map(async (given) => {
      const { machine } = await enrolMachine(stage, saas, given);
      started.push(machine);
      machine.startDaemon(fail);
      return machine;
    }),
  );
  cleanup.defer(async () => {
    await others.catch(() => []);
    await Promise.all(started.map((machine) => machine.endDaemon()));
  });
  const gathered = others.then((machines): Fleet => {
    const broken = machines.find(({ host }) => host === BROKEN) as Machine;
    return { first, broken, all: [first, ...machines] };
  });
  // It is waited for later in the story; what goes wrong before ends the demo at once.
  gathered.catch(fail);
  return gathered;
}
