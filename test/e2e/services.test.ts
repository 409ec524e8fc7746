import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createControlClient } from '../../agent/control-client.ts';
import { socketPath } from '../../agent/paths.ts';
import type { FlowStatus, Status } from '../../schemas/status.ts';
import { alive } from '../contract/executor.ts';
import { type Bundle, bundleOf } from '../support/bundles.ts';
import { type Daemon, startDaemon, until } from '../support/daemon.ts';
import { createWorld, flowV2, v2, type World } from '../support/world.ts';

/** Answers with its version; heeds an interrupt within a moment, as uvicorn does. */
const server = (before = ''): Bundle =>
  bundleOf({
    'main.py': `import http.server, os, sys
${before}
if "BREAK" in os.environ: sys.exit("cannot work like this")
print("starting", os.environ["EDGE_VERSION"], flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(os.environ["EDGE_VERSION"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Handler).serve_forever()
`,
  });
const kept = {
  runtime: 'service',
  timeout: '20s',
  service: { port_env: 'API_PORT', ready: '/health', live: '/health' },
};
const second = server('import time; time.sleep(1)');
const never = new AbortController().signal;

// One daemon lives through it all: each test goes on from where the one before it ended.
describe('a service under a daemon', () => {
  let world: World;
  let daemon: Daemon;
  const status = (): Promise<Status> =>
    createControlClient(socketPath(join(world.cache, '.agent'))).status({}, never);
  const web = async (): Promise<FlowStatus> => {
    const found = (await status()).flows.find(({ id }) => id === 'web');
    if (found === undefined) throw new Error('expected the flow web in the status');
    return found;
  };
  const ready = (what: string, wanted: (flow: FlowStatus) => boolean) =>
    until(what, async () => {
      const flow = await web().catch(() => null);
      return flow?.service?.state === 'ready' && wanted(flow) ? flow : null;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${daemon.output()}`);
    });
  const answer = async () => {
    const response = await fetch((await web()).service?.url as string);
    return `${response.status} ${await response.text()}`;
  };
  const release = (version: string, bundle: Bundle, more: object = {}) =>
    world.release(v2(flowV2(world, 'web', version, bundle, { ...kept, ...more })));

  beforeAll(async () => {
    world = await createWorld();
    await release('v1', server());
  });
  afterAll(async () => {
    await daemon.stop();
    await world[Symbol.asyncDispose]();
  });

  it('is put in place by a command alone, which says that a running agent keeps it, and triggers nothing', async () => {
    const { code, document } = await world.reconcile();
    expect(code).toBe(0);
    expect(document.flows).toMatchObject([
      {
        id: 'web',
        active_version: 'v1',
        health: 'unknown',
        service: { state: 'stopped', url: null, message: expect.stringContaining('edge-agent run') },
      },
    ]);
    const triggered = await world.json<{ error: { message: string } }>('trigger', 'web');
    expect(triggered.code).toBe(4);
    expect(triggered.document.error.message).toContain('is a service');
  });

  it('is started by the daemon, and is healthy once it answers', async () => {
    daemon = startDaemon(world);
    await ready('v1', ({ health }) => health === 'healthy');
    expect(await answer()).toBe('200 v1');
  });

  it('is replaced by the next version without a request that fails', async () => {
    const before = (await web()).service;
    const answers: string[] = [];
    let over = false;
    const client = (async () => {
      while (!over) answers.push(await answer());
    })();
    await release('v2', second);
    expect((await world.reconcile()).code).toBe(0);
    const after = await ready('v2', ({ active_version }) => active_version === 'v2');
    await until('an answer of v2', () => answers.includes('200 v2'));
    over = true;
    await client;
    expect(new Set(answers)).toEqual(new Set(['200 v1', '200 v2']));
    expect(after.service?.pid).not.toBe(before?.pid);
    await until('the end of v1', async () => (await alive([before?.pid as number])).length === 0);
  });

  it('follows a rollback by hand, and what is released after it', async () => {
    expect((await world.json('rollback', 'web')).code).toBe(0);
    await ready('v1', ({ service }) => service?.version === 'v1');
    expect(await answer()).toBe('200 v1');
    expect((await world.json('resume')).code).toBe(0);
    expect((await world.reconcile()).code).toBe(0);
    await ready('v2', ({ service }) => service?.version === 'v2');
    expect(await answer()).toBe('200 v2');
  });

  it('makes the agent unready while it is broken, and is tried again when somebody asks', async () => {
    for (let times = 1; times <= 3; times += 1) {
      const { service } = await ready('ready again', () => true);
      process.kill(service?.pid as number, 'SIGKILL');
      await until('its end is seen', async () => (await web()).service?.pid !== service?.pid);
    }
    const broken = await until('the breaker', async () => {
      const now = await status();
      const { status: isReady } = now.conditions.find(({ type }) => type === 'Ready') ?? {};
      return now.flows[0]?.service?.state === 'broken' && isReady === 'False' ? now.flows[0] : null;
    });
    expect(broken).toMatchObject({ active_version: 'v2', health: 'unhealthy', service: { url: null } });
    expect(broken.service?.message).toContain('SIGKILL');
    expect((await world.json('retry', 'web')).code).toBe(0);
    await ready('after retry', ({ health }) => health === 'healthy');
    await until('being ready again', async () =>
      (await status()).conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    );
  });

  it('goes on as it is when the next version does not get ready, which is rolled back and quarantined', async () => {
    const before = (await web()).service;
    await release('v3', server('sys.exit("no database")'));
    const { code, document } = await world.reconcile();
    expect(code).toBe(4);
    const [flow] = document.flows;
    expect(flow).toMatchObject({ active_version: 'v2', health: 'healthy', service: before });
    expect(flow?.quarantined?.reason).toContain('no database');
    expect(await answer()).toBe('200 v2');
  });

  it('goes on as it was when new settings do not work, and keeps its version', async () => {
    const before = (await web()).service;
    await release('v2', second, { env: { BREAK: '1' } });
    const { code, document } = await world.reconcile();
    expect(code).toBe(4);
    expect(document.error?.message).toContain('v2 stays active');
    expect(document.flows).toMatchObject([{ active_version: 'v2', health: 'unhealthy', quarantined: null }]);
    expect(await answer()).toBe('200 v2');
    await release('v2', second);
    expect((await world.reconcile()).code).toBe(0);
    expect(await web()).toMatchObject({ health: 'healthy', service: before });
  });

  it('is ended and started again after the agent was killed', async () => {
    const before = (await web()).service?.pid as number;
    await daemon.stop('SIGKILL');
    expect(await alive([before])).toEqual([before]);
    daemon = startDaemon(world);
    await ready('v2 again', ({ service }) => service?.pid !== before);
    expect(await alive([before])).toEqual([]);
    expect(await answer()).toBe('200 v2');
    const events = readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8');
    expect(events).toContain('"OrphansEnded"');
  });

  it('shows what it printed', async () => {
    expect(await world.agent('logs', 'service-web')).toMatchObject({ code: 0, stdout: 'starting v2\n' });
    expect((await world.agent('logs', 'service-other')).code).toBe(2);
  });

  it('ends with the agent', async () => {
    const { pid } = (await web()).service as { pid: number };
    expect(await daemon.stop()).toBe(0);
    expect(await alive([pid])).toEqual([]);
  });
});
