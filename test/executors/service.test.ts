import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followServiceOutput } from '../../agent/service-output.ts';
import { ownCgroup } from '../../executors/cgroup.ts';
import { endOrphans } from '../../executors/orphans.ts';
import type { ProcessDependencies } from '../../executors/process.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { createServiceExecutor } from '../../executors/service.ts';
import { captureLatest } from '../../executors/service-output.ts';
import { createServiceLauncher } from '../../executors/service-process.ts';
import { createSubprocessExecutor } from '../../executors/subprocess.ts';
import type { DesiredService, Executor, RunSettings, ServiceKeeper } from '../../reconciler/ports.ts';
import { SERVICE_TIMING, type ServiceTiming } from '../../reconciler/service-instance.ts';
import { createServiceRecords } from '../../reconciler/service-records.ts';
import { SERVICE_LIMITS, type ServiceLimits } from '../../reconciler/service-state.ts';
import { createServiceKeeper } from '../../reconciler/services.ts';
import type { EventDraft } from '../../schemas/event.ts';
import type { FlowSpec } from '../../schemas/flow-spec.ts';
import type { ServiceStatus } from '../../schemas/service.ts';
import { IN_MEMORY, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { alive, createBench, executorContract, SETTINGS, SPEC, text } from '../contract/executor.ts';

/** Serves its version, `/health` and `/live`, which answer 503 while a file of that name lies in the bundle's parent. */
const SERVER = `
import http.server, os, sys, threading
flags = os.path.dirname(os.environ["EDGE_BUNDLE_DIR"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        bad = os.path.exists(flags + self.path) and self.path != "/"
        self.send_response(503 if bad else 200); self.end_headers()
        self.wfile.write(os.environ["EDGE_VERSION"].encode())
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
print("listening", flush=True)
try: server.serve_forever()
except KeyboardInterrupt: print("stopped", flush=True)
`;
const CRASHING = 'import sys; sys.exit("no database")';
const NEVER_READY = 'import time; time.sleep(600)';

const signal = new AbortController().signal;
const quick: ServiceTiming = {
  ...SERVICE_TIMING,
  readyWithinMs: 20_000,
  readyEveryMs: 20,
  liveEveryMs: 40,
  drainMs: 300,
};
const eager: ServiceLimits = { ...SERVICE_LIMITS, backoffFirstMs: 5 };

async function until<T>(
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  const end = performance.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`expected it within 20 s: ${look.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('services that are kept', () => {
  let folder: string;
  let events: EventDraft[];
  let keepers: ServiceKeeper[];
  let faults: unknown[];
  let documents: ReturnType<typeof createStateDocuments>;
  let settings: RunSettings;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'services-'));
    documents = createStateDocuments(openDatabase(IN_MEMORY));
    [events, keepers, faults] = [[], [], []];
    settings = SETTINGS;
  });
  afterEach(async () => {
    await Promise.all(keepers.map((keeper) => keeper.close()));
    await rm(folder, { recursive: true, force: true });
    if (faults.length > 0) throw new AggregateError(faults, 'expected no fault of the keeper');
  });

  function keep(timing: Partial<ServiceTiming> = {}, limits: Partial<ServiceLimits> = {}): ServiceKeeper {
    const clock = createSystemClock();
    const deps = { clock, environment: process.env, cgroup: ownCgroup, capture: captureLatest };
    const keeper = createServiceKeeper({
      keeps: true,
      launcher: createServiceLauncher(createSubprocessExecutor(deps, createPythonExecutor(deps))),
      processes: createServiceRecords(documents),
      events: { emit: (event) => events.push(event) },
      clock,
      chance: createSystemChance(),
      tenant: 'acme',
      settings: () => settings,
      secrets: () => Promise.resolve({ TOKEN: 'sesame-open' }),
      runDirectory: (id, attempt) => join(folder, 'runs', id, String(attempt)),
      endOrphans,
      onChange() {},
      onFault: (error) => faults.push(error),
      timing: { ...quick, ...timing },
      limits: { ...eager, ...limits },
    });
    keepers.push(keeper);
    return keeper;
  }

  /** A version of the service `web` in a folder of its own. */
  async function version(
    name: string,
    source: string,
    change: Partial<FlowSpec> = {},
  ): Promise<DesiredService> {
    const directory = join(folder, name);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'main.py'), source);
    const sha256 = Buffer.from(name.padEnd(32)).toString('hex');
    const service = { port_env: 'PORT', ready: '/health', live: '/live' };
    const spec: FlowSpec = {
      ...SPEC,
      id: 'web',
      runtime: 'service',
      version: name,
      sha256,
      service,
      ...change,
    };
    return {
      spec,
      directory,
      entrypoint: 'main.py',
      version: name,
      sha256,
      path: `flows/web/${name}`,
      revision: 'r1',
    };
  }

  const state = (keeper: ServiceKeeper, wanted: ServiceStatus['state']) =>
    until(() => {
      const status = keeper.status('web');
      return status?.state === wanted ? status : null;
    });
  const answer = async (url: string | null) => (await fetch(url as string)).text();
  const output = (slot: number, stream = 'stdout') =>
    readFile(join(folder, 'runs', 'service-web', String(slot), `${stream}.log`), 'utf8');
  const reasons = () => events.map(({ reason }) => reason);

  it('starts one on a free loopback port, says where it answers, and stops it when it is not wanted any more', async () => {
    const keeper = keep();
    keeper.apply([await version('v1', SERVER)]);
    const status = await state(keeper, 'ready');
    expect(status).toMatchObject({
      version: 'v1',
      restarts: 0,
      message: null,
      url: `http://127.0.0.1:${status.port}`,
    });
    expect(await answer(status.url)).toBe('v1');
    expect(keeper.leases()).toEqual(['flows/web/v1']);
    keeper.apply([]);
    expect(keeper.status('web')?.state ?? 'stopped').toBe('stopped');
    await keeper.close();
    expect(await alive([status.pid as number])).toEqual([]);
    expect(await output(1)).toBe('listening\nstopped\n');
    expect(createServiceRecords(documents).all()[0]?.processes).toEqual([]);
    expect(reasons()).toEqual(['ServiceReady', 'ServiceStopped']);
  });

  it('replaces a version only when the next one is ready, without a request that fails', async () => {
    const keeper = keep();
    keeper.apply([await version('v1', SERVER)]);
    const first = await state(keeper, 'ready');
    const seen = new Set<string>();
    const client = new AbortController();
    const hammering = (async () => {
      while (!client.signal.aborted) seen.add(await answer(keeper.status('web')?.url ?? null));
    })();
    const slow = await version('v2', `import time; time.sleep(0.5)\n${SERVER}`);
    expect(await keeper.replace(slow, { again: false, signal })).toEqual({ kind: 'ready' });
    await until(() => seen.has('v2'));
    client.abort();
    await hammering;
    expect([...seen]).toEqual(['v1', 'v2']);
    const second = await state(keeper, 'ready');
    expect(second.port).not.toBe(first.port);
    await until(async () => (await alive([first.pid as number])).length === 0);
    expect(await alive([second.pid as number])).toEqual([second.pid]);
  });

  it.each([
    ['ends', CRASHING, /v2 ended before it was ready: exit code 1 \(no database\)/],
    ['never gets ready', NEVER_READY, /v2 was not ready within 600ms: GET \/health: nothing listens on 127/],
  ])('keeps what ran when the next version %s, and says why', async (_, source, why) => {
    const keeper = keep();
    keeper.apply([await version('v1', SERVER)]);
    const before = await state(keeper, 'ready');
    const bad = await version('v2', source, { timeout: source === NEVER_READY ? 600 : null });
    const replaced = await keeper.replace(bad, { again: false, signal });
    expect(replaced).toMatchObject({ kind: 'failed', started: true, message: expect.stringMatching(why) });
    const after = await state(keeper, 'ready');
    expect(after).toEqual(before);
    expect(await answer(after.url)).toBe('v1');
    expect(createServiceRecords(documents).all()[0]?.processes).toHaveLength(1);
  });

  it('starts a service again that ended, with a wait that grows, and gives up after three failures in a row', async () => {
    const keeper = keep();
    keeper.apply([await version('v1', CRASHING)]);
    const broken = await state(keeper, 'broken');
    expect(broken).toMatchObject({ version: 'v1', pid: null, url: null, restarts: 2 });
    expect(broken.message).toMatch(/exit code 1 \(no database\)/);
    expect(reasons()).toEqual(['ServiceFailed', 'ServiceFailed', 'ServiceBroken']);
    expect(await output(3, 'stderr')).toBe('no database\n');
    await keeper.retry('web');
    await until(() => reasons().filter((reason) => reason === 'ServiceBroken').length === 2);
    const fixed = await version('v2', SERVER);
    expect(await keeper.replace(fixed, { again: false, signal })).toEqual({ kind: 'ready' });
  });

  it('tries a broken one again by itself when its time has come', async () => {
    const keeper = keep({}, { brokenMs: 300 });
    const waiting = `import os, sys
if not os.path.exists(os.path.dirname(os.environ["EDGE_BUNDLE_DIR"]) + "/database"): sys.exit("no database")
${SERVER}`;
    keeper.apply([await version('v1', waiting)]);
    await state(keeper, 'broken');
    await writeFile(join(folder, 'database'), '');
    expect(await answer((await state(keeper, 'ready')).url)).toBe('v1');
  });

  it('restarts a service whose process is killed', async () => {
    const keeper = keep();
    keeper.apply([await version('v1', SERVER)]);
    const before = await state(keeper, 'ready');
    process.kill(before.pid as number, 'SIGKILL');
    const after = await until(() => {
      const status = keeper.status('web');
      return status?.state === 'ready' && status.pid !== before.pid && status;
    });
    expect(after.restarts).toBe(1);
    expect(await answer(after.url)).toBe('v1');
  });

  it('restarts a service that does not answer its liveness probe three times in a row', async () => {
    const keeper = keep();
    keeper.apply([await version('v1', SERVER)]);
    const before = await state(keeper, 'ready');
    await writeFile(join(folder, 'live'), '');
    await until(() => reasons().includes('ServiceFailed'));
    await rm(join(folder, 'live'));
    const after = await until(() => {
      const status = keeper.status('web');
      return status?.state === 'ready' && status.pid !== before.pid && status;
    });
    expect(events.find(({ reason }) => reason === 'ServiceFailed')?.message).toContain(
      'GET /live: expected 2xx or 3xx, found 503',
    );
    expect(await alive([before.pid as number])).toEqual([]);
    expect(await answer(after.url)).toBe('v1');
  });

  it('kills a service that does not heed the interrupt, with all it started', async () => {
    const stubborn = `
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0: os.setsid(); time.sleep(600)
print(child, flush=True)
${SERVER}`;
    const keeper = keep();
    keeper.apply([await version('v1', stubborn)]);
    const { pid } = await state(keeper, 'ready');
    const child = Number.parseInt(await output(1), 10);
    expect(await alive([child])).toEqual([child]);
    await keeper.close();
    expect(await alive([pid as number, child])).toEqual([]);
  });

  it('restarts with new settings in the same safe way, and leaves one alone whose settings are the same', async () => {
    const keeper = keep();
    const one = await version('v1', SERVER);
    keeper.apply([one]);
    const before = await state(keeper, 'ready');
    keeper.apply([{ ...one, spec: { ...one.spec, schedule: '* * * * *' } }]);
    expect(keeper.status('web')).toEqual(before);
    keeper.apply([{ ...one, spec: { ...one.spec, env: { EDGE_VERSION: 'x', LOCALE: 'fr' } } }]);
    const after = await until(() => {
      const status = keeper.status('web');
      return status?.state === 'ready' && status.pid !== before.pid && status;
    });
    expect(await answer(after.url)).toBe('v1');
    settings = { ...settings, env: { A: 'b' } };
    expect(await keeper.replace(one, { again: false, signal })).toEqual({ kind: 'ready' });
    expect(keeper.status('web')?.pid).not.toBe(after.pid);
  });

  it('takes new files of the same version when it is told that they were put back', async () => {
    const keeper = keep();
    const one = await version('v1', SERVER);
    keeper.apply([one]);
    const before = await state(keeper, 'ready');
    expect(await keeper.replace(one, { again: false, signal })).toEqual({ kind: 'ready' });
    expect(keeper.status('web')?.pid).toBe(before.pid);
    expect(await keeper.replace(one, { again: true, signal })).toEqual({ kind: 'ready' });
    expect(keeper.status('web')?.pid).not.toBe(before.pid);
  });

  it('does not start what this machine cannot start, and says so', async () => {
    const keeper = keep();
    const one = await version('v1', SERVER, { secrets: ['MISSING'] });
    expect(await keeper.replace(one, { again: false, signal })).toMatchObject({
      kind: 'failed',
      started: false,
      message: expect.stringContaining('MISSING'),
    });
  });

  it('keeps the newest output, redacted, and no more than max_output', async () => {
    settings = { ...settings, maxOutput: 4_096 };
    const chatty = `
import os
for n in range(3000): print(n, os.environ["TOKEN"])
${SERVER}`;
    const keeper = keep();
    keeper.apply([await version('v1', chatty, { secrets: ['TOKEN'] })]);
    await state(keeper, 'ready');
    const kept = await until(async () => {
      const found = await output(1);
      return found.endsWith('listening\n') && found;
    });
    expect(kept).toContain('2999 [redacted]\n');
    const older = await readFile(join(folder, 'runs', 'service-web', '1', 'stdout.1.log'), 'utf8');
    expect(older.length + kept.length).toBeLessThanOrEqual(4_096);
    expect(older + kept).not.toContain('sesame');
  });

  it('shows what it prints while it prints it, through rotation and restart', async () => {
    settings = { ...settings, maxOutput: 64 * 1024 };
    const keeper = keep();
    const counting = `import threading, time, os
def count():
    n = 0
    while True:
        n += 1
        print(os.environ["EDGE_ATTEMPT"], n, "x" * 100, flush=True)
        time.sleep(0.004)
threading.Thread(target=count, daemon=True).start()
${SERVER}`;
    keeper.apply([await version('v1', counting)]);
    const { pid } = await state(keeper, 'ready');
    const abort = new AbortController();
    const latest = () => createServiceRecords(documents).latest('web');
    const options = { follow: true, streams: ['stdout'] } as const;
    let seen = '';
    for await (const { data } of followServiceOutput(
      join(folder, 'runs', 'service-web'),
      latest,
      options,
      abort.signal,
    )) {
      seen += text(data);
      if (seen.length > 150_000 && keeper.status('web')?.pid === pid) process.kill(pid as number, 'SIGKILL');
      if (/^2 1 /m.test(seen)) abort.abort();
    }
    const numbers = [...seen.matchAll(/^1 (\d+) x{100}$/gm)].map(([, number]) => Number(number));
    expect(numbers.length).toBeGreaterThan(1_000);
    const first = numbers[0] as number;
    expect(numbers).toEqual(numbers.map((_, index) => first + index));
  });

  it('connects where no ready path is named', async () => {
    const keeper = keep();
    const one = await version('v1', SERVER, { service: { port_env: 'MY_PORT', ready: null, live: null } });
    await writeFile(join(one.directory, 'main.py'), SERVER.replace('"PORT"', '"MY_PORT"'));
    expect(await keeper.replace(one, { again: false, signal })).toEqual({ kind: 'ready' });
    expect(await answer(keeper.status('web')?.url ?? null)).toBe('v1');
  });

  it('finds nothing out about a version that something newer takes over from', async () => {
    const keeper = keep();
    const first = keeper.replace(await version('v1', NEVER_READY), { again: false, signal });
    await state(keeper, 'starting');
    const second = keeper.replace(await version('v2', SERVER), { again: false, signal });
    expect(await first).toMatchObject({ kind: 'failed', started: false });
    expect(await second).toEqual({ kind: 'ready' });
    expect(createServiceRecords(documents).all()[0]?.processes).toHaveLength(1);
  });

  it('does not judge a version by a port that was taken before it could listen', async () => {
    const keeper = keep();
    const unlucky = `import os, sys
mark = os.path.dirname(os.environ["EDGE_BUNDLE_DIR"]) + "/tried"
if not os.path.exists(mark):
    open(mark, "w").close()
    sys.exit("OSError: [Errno 98] Address already in use")
${SERVER}`;
    const replaced = await keeper.replace(await version('v1', unlucky), { again: false, signal });
    expect(replaced).toEqual({ kind: 'ready' });
    expect(keeper.status('web')?.restarts).toBe(1);
  });

  it('gives up waiting when the reconcile is aborted, and goes on with the service', async () => {
    const keeper = keep();
    const abort = new AbortController();
    const slow = await version('v1', `import time; time.sleep(0.3)\n${SERVER}`);
    const replaced = keeper.replace(slow, { again: false, signal: abort.signal });
    abort.abort(new Error('a newer revision'));
    await expect(replaced).rejects.toThrow('a newer revision');
    await state(keeper, 'ready');
  });

  it('ends what an earlier life of the agent left, before anything is started', async () => {
    const earlier = keep();
    earlier.apply([await version('v1', SERVER)]);
    const { pid } = await state(earlier, 'ready');
    const next = keep();
    await next.recover();
    expect(await alive([pid as number])).toEqual([]);
    expect(reasons()).toContain('OrphansEnded');
  });
});

describe('a command without a daemon', () => {
  it('starts no service', async () => {
    const keeper = createServiceKeeper({ keeps: false } as Parameters<typeof createServiceKeeper>[0]);
    expect(await keeper.replace({} as DesiredService, { again: false, signal })).toEqual({ kind: 'unkept' });
    keeper.apply([{} as DesiredService]);
    expect(keeper.status('web')).toBeNull();
  });
});

const healthCheck = {
  create(deps: ProcessDependencies): Executor {
    const executor = createServiceExecutor(createSubprocessExecutor(deps));
    // a health check always names its arguments
    return {
      ...executor,
      start: (request, given) =>
        executor.start({ ...request, args: request.args ?? request.spec.args }, given),
    };
  },
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
  adds: ['PORT'],
};

executorContract('the health check of a service', healthCheck);

describe('the service executor', () => {
  it('runs nothing that is triggered, and says why', async () => {
    const bench = await createBench({
      ...healthCheck,
      create: (deps) => createServiceExecutor(createSubprocessExecutor(deps)),
    });
    const result = await bench.run('print(1)');
    expect(result).toMatchObject({ status: 'failed', exitCode: null });
    expect(result.reason).toContain('is a service');
    const checked = await bench.run('import os; print(os.environ["API"])', {
      args: ['--self-test'],
      spec: { ...SPEC, env: { API: '1' }, service: { port_env: 'API', ready: null, live: null } },
    });
    expect(Number(text(checked.stdout))).toBeGreaterThan(1_023);
    await bench.dispose();
  });
});
