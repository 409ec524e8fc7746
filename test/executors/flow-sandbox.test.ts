import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ProcessDependencies } from '../../executors/process.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { createServiceLauncher } from '../../executors/service-process.ts';
import type { Executor, RunRequest, ServiceProcess } from '../../reconciler/ports.ts';
import {
  type Bench,
  createBench,
  executorContract,
  MANY_CHILDREN,
  markedBy,
  SETTINGS,
  SPEC,
} from '../contract/executor.ts';
import type { FlowAgentOrder } from '../support/flow-agent.ts';
import { SANDBOX_SETTINGS, sandboxIn, sandboxMissing } from '../support/sandboxed-flows.ts';

const subject = {
  create: createPythonExecutor,
  async install(bundle: string, source: string) {
    await writeFile(join(bundle, 'main.py'), source);
    return 'main.py';
  },
};
const missing = await sandboxMissing();
const linux = process.platform === 'linux';
const readable = existsSync('/usr/bin/python3');
const AGENT = fileURLToPath(new URL('../support/flow-agent.ts', import.meta.url));

describe.skipIf(missing !== null)('in a sandbox', () => {
  executorContract(
    'the python executor',
    subject,
    (folder) => ({ sandbox: sandboxIn(folder) }),
    SANDBOX_SETTINGS,
  );

  it('keeps a service that is asked from outside, and interrupts it', async () => {
    let bench: Bench | null = null;
    const handle = await new Promise<ServiceProcess>((resolve, reject) => {
      const create = (deps: ProcessDependencies) => {
        const program = createPythonExecutor(deps);
        const launcher = createServiceLauncher(program);
        const start: Executor['start'] = async (request, settings) => {
          resolve(await launcher.launch(request, settings));
          throw new Error('launched');
        };
        return { ...program, start };
      };
      createBench({ ...subject, create }, (folder) => ({ sandbox: sandboxIn(folder) }), SANDBOX_SETTINGS)
        .then((made) => {
          bench = made;
          return made.begin(SERVICE).catch(() => undefined);
        })
        .catch(reject);
    });
    const never = new AbortController().signal;
    await expect.poll(() => handle.probe('/', 2_000, never)).toBeNull();
    handle.stop();
    // It says so itself: the interrupt came through, and nobody had to kill it.
    expect(await handle.ended).toContain('interrupted');
    await (bench as Bench | null)?.dispose();
  });

  it.skipIf(!linux || !readable)('ends what it holds with the agent, however that ends', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sandboxed-orphans-'));
    await chmod(folder, 0o711);
    await mkdir(join(folder, 'bundle'));
    await subject.install(
      join(folder, 'bundle'),
      `${MANY_CHILDREN}\nprint("all", flush=True)\ntime.sleep(60)`,
    );
    const runDirectory = join(folder, 'runs', `orphans-${process.pid}`, '1');
    const request: RunRequest = {
      spec: SPEC,
      directory: join(folder, 'bundle'),
      entrypoint: 'main.py',
      runId: `orphans-${process.pid}`,
      attempt: 1,
      tenant: 'acme',
      version: 'v1',
      runDirectory,
      input: {},
      timeoutMs: 60_000,
      secrets: {},
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    };
    const order: FlowAgentOrder = {
      folder,
      sandbox: true,
      cgroup: false,
      settings: {
        ...SETTINGS,
        ...SANDBOX_SETTINGS,
        python: { ...SETTINGS.python, interpreter: '/usr/bin/python3' },
      },
      request,
      neighbour: null,
      limits: null,
    };
    const agent = spawn(process.execPath, [AGENT, JSON.stringify(order)], { stdio: 'ignore' });
    await expect
      .poll(() => readFile(join(runDirectory, 'stdout.log'), 'utf8').catch(() => ''))
      .toContain('all');
    expect((await markedBy(runDirectory)).length).toBeGreaterThan(50);
    agent.kill('SIGKILL');
    await expect.poll(() => markedBy(runDirectory)).toEqual([]);
    await rm(folder, { recursive: true, force: true });
  });
});

const SERVICE = `
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer)
try: server.serve_forever()
except KeyboardInterrupt: print("interrupted", file=sys.stderr)
`;
