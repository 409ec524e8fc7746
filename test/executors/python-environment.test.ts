import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installerMark } from '../../executors/built-folders.ts';
import { removeFolder } from '../../executors/environment-folder.ts';
import { createInterpreterFinder, type Interpreter } from '../../executors/interpreter.ts';
import { listProcesses } from '../../executors/process-table.ts';
import { createPythonExecutor } from '../../executors/python.ts';
import { createPythonEnvironments } from '../../executors/python-environments.ts';
import type { RunSettings } from '../../reconciler/ports.ts';
import type { EventDraft } from '../../schemas/event.ts';
import { createSystemClock } from '../../system/clock.ts';
import { createBench, SETTINGS, SPEC, text } from '../contract/executor.ts';
import { requirePart } from '../support/parts.ts';
import { makeWheel, type PackageIndex, startPackageIndex, type Wheel } from '../support/wheels.ts';

const uv = requirePart('uv');
const never = new AbortController().signal;

/** What the machine's own configuration says of packages must not decide a test. */
const MACHINE = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(PIP_|UV_)|_proxy$/i.test(name)),
);

describe.each([
  ['pip', process.env['PATH']],
  ['uv', uv],
] as const)('an environment made with %s', (installer, there) => {
  describe.skipIf(there === null)('of a lock', () => {
    let folder: string;
    let envs: string;
    let greeting: Wheel;
    let index: PackageIndex;
    let machine: NodeJS.ProcessEnv;
    let interpreter: Interpreter;
    let events: EventDraft[];
    const settings: RunSettings = { ...SETTINGS, python: { ...SETTINGS.python, installer } };
    let bundles = 0;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'environment-'));
      await chmod(folder, 0o711);
      envs = join(folder, 'state', 'envs');
      greeting = makeWheel(join(folder, 'made'), 'greeting', 'def hello(): return "bonjour"');
      index = await startPackageIndex([greeting]);
      const path = uv === null ? process.env['PATH'] : `${join(uv, '..')}:${process.env['PATH']}`;
      machine = { ...MACHINE, PATH: path, ...index.environment };
      events = [];
      const found = await createInterpreterFinder(machine).find(settings, never);
      if (found.kind !== 'found') throw new Error(found.message);
      interpreter = found;
    });
    afterEach(async () => {
      await index[Symbol.asyncDispose]();
      for (const name of await readdir(envs).catch(() => [])) await removeFolder(join(envs, name));
      await rm(folder, { recursive: true, force: true });
    });

    const bundle = async (lock: string, file = 'requirements.lock') => {
      const directory = join(folder, `bundle-${bundles++}`);
      await mkdir(directory);
      await writeFile(join(directory, file), lock);
      return directory;
    };
    const environments = (clock = createSystemClock()) =>
      createPythonEnvironments({
        folder: envs,
        clock,
        environment: machine,
        events: { emit: (event) => void events.push(event) },
      });
    const build = (directory: string, subject = environments()) =>
      subject.build({ directory, flow: 'invoice-bot', version: 'v1.0.7' }, interpreter, settings, never);
    const reasons = () => events.map(({ reason }) => reason);
    const names = async () => (await readdir(envs)).filter((name) => /^[0-9a-f]{16}-[0-9a-f]{8}$/.test(name));

    it('gives the flow its packages, and the agent nothing to run of them', async () => {
      const trap = makeWheel(join(folder, 'made'), 'trap', 'x = 1', {
        extra: `trap.pth=import os; os.path.exists("${folder}/sprung") or open("${folder}/sprung", "w").close()`,
      });
      await index[Symbol.asyncDispose]();
      index = await startPackageIndex([greeting, trap]);
      machine = { ...machine, ...index.environment };
      const directory = await bundle(`${greeting.line}\n${trap.line} # with a surprise\n`);
      const executor = createPythonExecutor({
        clock: createSystemClock(),
        environment: machine,
        cgroup: () => null,
        environments: environments(),
      });
      const version = { spec: SPEC, directory, entrypoint: 'main.py' };
      expect(await executor.prepare(version, settings, never)).toEqual({ kind: 'ready' });
      expect(await readdir(folder)).not.toContain('sprung');
      expect(events).toMatchObject([
        {
          reason: 'EnvironmentBuilt',
          flow: 'invoice-bot',
          version: 'v1.0.7',
          message: expect.stringContaining(installer),
        },
      ]);

      const bench = await createBench({ create: () => executor, install: () => Promise.resolve('main.py') });
      await writeFile(
        join(directory, 'main.py'),
        'import greeting, sys; print(greeting.hello(), sys.prefix)',
      );
      const result = await bench.run('', { directory }, settings);
      await bench.dispose();
      const [name] = await names();
      expect(text(result.stdout)).toBe(`bonjour ${join(envs, name as string)}\n`);
      expect(await readdir(folder)).toContain('sprung');
    });

    it('comes from the wheels in the bundle, without network', async () => {
      await index[Symbol.asyncDispose]();
      const directory = await bundle(greeting.line);
      await mkdir(join(directory, 'wheelhouse'));
      await writeFile(join(directory, 'wheelhouse', greeting.file), greeting.bytes);
      expect(await build(directory)).toMatchObject({ kind: 'ready' });
      index = await startPackageIndex([]);
    });

    it('stalls when a file is not the one of the lock', async () => {
      const directory = await bundle(greeting.line.replace(/sha256:..../, 'sha256:0000'));
      expect(await build(directory)).toMatchObject({
        kind: 'stalled',
        code: 'requirements_invalid',
        message: expect.stringMatching(/hash/i),
      });
      expect(await names()).toEqual([]);
      expect(events).toEqual([]);
    });

    it.each([
      ['no such version', (line: string) => line.replace('1.0', '7.7')],
      ['what a package needs is not in the lock', (line: string) => line],
    ])('stalls when there is %s', async (_, change) => {
      const needy = makeWheel(join(folder, 'made'), 'needy', 'x = 1', { requires: 'greeting' });
      await index[Symbol.asyncDispose]();
      index = await startPackageIndex([greeting, needy]);
      machine = { ...machine, ...index.environment };
      const outcome = await build(await bundle(change(needy.line)));
      expect(outcome).toMatchObject({ kind: 'stalled', code: 'requirements_invalid' });
    });

    it('is tried again later when the index is away', async () => {
      machine = { ...machine, PIP_RETRIES: '0', UV_HTTP_RETRIES: '0' };
      await index[Symbol.asyncDispose]();
      const outcome = await build(await bundle(greeting.line));
      expect(outcome).toMatchObject({ kind: 'retry', code: 'environment_failed' });
      expect(await names()).toEqual([]);
    });

    it('is tried again later when the index is broken, whose password stays out of messages', async () => {
      index.server.on('/simple/greeting/', (_, response) => response.writeHead(503).end());
      const url = (index.environment['PIP_INDEX_URL'] as string).replace('//', '//user:geheim-42@');
      machine = {
        ...machine,
        PIP_RETRIES: '0',
        UV_HTTP_RETRIES: '0',
        PIP_INDEX_URL: url,
        UV_DEFAULT_INDEX: url,
      };
      const outcome = await build(await bundle(greeting.line));
      expect(outcome).toMatchObject({ kind: 'retry', code: 'environment_failed' });
      expect(JSON.stringify(outcome)).not.toContain('geheim-42');
    });

    // What does not depend on who installs is tried with one of them, the faster one where it is there.
    const chosen = installer !== 'pip' || uv === null;
    (chosen ? describe : () => undefined)('whoever made it', () => {
      it('is shared by versions with the same lock and rebuilt for another', async () => {
        const other = makeWheel(join(folder, 'made'), 'other', 'x = 1');
        await index[Symbol.asyncDispose]();
        index = await startPackageIndex([greeting, other]);
        machine = { ...machine, ...index.environment };
        const first = await build(await bundle(greeting.line));
        const again = await build(await bundle(greeting.line));
        expect(again).toEqual({ ...first, requirements: expect.anything() });
        await build(await bundle(`${greeting.line}\n${other.line}`));
        expect(reasons()).toEqual(['EnvironmentBuilt', 'EnvironmentBuilt']);
        expect(await names()).toHaveLength(2);
      });

      it('can be read by everybody and written by nobody', async () => {
        const built = await build(await bundle(greeting.line));
        if (built.kind !== 'ready') throw new Error(JSON.stringify(built));
        const inside = await readdir(built.folder, { recursive: true });
        const own = inside.filter((name) => name !== '.complete' && !name.startsWith('bin/python'));
        const modes = await Promise.all(
          own.map(async (name) => ((await stat(join(built.folder, name))).mode & 0o777).toString(8)),
        );
        expect([...new Set(modes)].sort()).toEqual(['444', '555']);
        expect(own.some((name) => /__pycache__.greeting.*pyc$/.test(name))).toBe(true);
        expect((await stat(built.folder)).mode & 0o777).toBe(0o555);
        expect((await stat(envs)).mode & 0o055).toBe(0o055);
      });

      it('gives the installer nothing of the agent’s environment', async () => {
        const spy = join(folder, installer === 'uv' ? 'uv' : 'python3');
        const real = installer === 'uv' ? uv : interpreter.path;
        await writeFile(spy, `#!/bin/sh\nenv >> ${folder}/seen\nexec ${real} "$@"\n`);
        chmodSync(spy, 0o755);
        machine = { ...machine, PATH: `${folder}:${machine['PATH']}`, SAAS_TOKEN: 'abc', PYTHONPATH: '/x' };
        if (installer === 'pip') interpreter = { ...interpreter, path: spy };
        await build(await bundle(greeting.line));
        const seen = new Set(
          (await readFile(join(folder, 'seen'), 'utf8')).split('\n').map((line) => line.split('=')[0]),
        );
        expect(seen).toContain('PIP_INDEX_URL');
        expect(seen).not.toContain('SAAS_TOKEN');
        expect(seen).not.toContain('PYTHONPATH');
      });

      it('is built once when two ask for it at once, one of them in another process', async () => {
        const directory = await bundle(greeting.line);
        const child = startBuilder(directory);
        const [first, second] = await Promise.all([build(directory), build(directory)]);
        const lines = await child.ended();
        expect([first.kind, second.kind, lines.at(-1)]).toEqual(['ready', 'ready', 'ready']);
        expect([...reasons(), ...lines].filter((line) => line === 'EnvironmentBuilt')).toHaveLength(1);
      });

      it('is built anew after a kill in the middle, whose installer ends', async () => {
        let asked = () => {};
        const hanging = new Promise<void>((resolve) => {
          asked = resolve;
        });
        index.server.on(`/files/${greeting.file}`, () => asked());
        const directory = await bundle(greeting.line);
        const child = startBuilder(directory);
        await hanging;
        child.kill();
        await child.ended();
        const [name] = (await readdir(envs)).filter((entry) => /^[0-9a-f]{16}-[0-9a-f]{8}$/.test(entry));
        const marked = async () =>
          (await listProcesses(`EDGE_RUN_ID=${installerMark(envs, name as string)}`)).filter(
            (entry) => entry.marked && !entry.zombie,
          );
        expect(await marked()).not.toEqual([]);

        index.server.on(`/files/${greeting.file}`, (_, response) => response.end(greeting.bytes));
        expect(await build(directory)).toMatchObject({ kind: 'ready' });
        expect(await marked()).toEqual([]);
        expect(await names()).toEqual([name]);
      });

      it('is removed at the next start when it was left half-built', async () => {
        const half = join(envs, '0123456789abcdef-01234567');
        await mkdir(join(half, 'lib'), { recursive: true });
        await mkdir(`${half}.tmp`);
        await build(await bundle(greeting.line));
        expect(await environments().recover()).toBe(1);
        expect((await readdir(envs)).filter((name) => name.startsWith('0123'))).toEqual([]);
        expect(await names()).toHaveLength(1);
      });

      it('stops building when the reconcile is pre-empted', async () => {
        const stop = new AbortController();
        index.server.on(`/files/${greeting.file}`, () => stop.abort(new Error('newer')));
        const directory = await bundle(greeting.line);
        const building = environments().build(
          { directory, flow: 'a', version: 'v1' },
          interpreter,
          settings,
          stop.signal,
        );
        await expect(building).rejects.toThrow('newer');
        expect(await names()).toEqual([]);
      });

      it('stops building for a run that is cancelled', async () => {
        const stop = new AbortController();
        index.server.on(`/files/${greeting.file}`, () => stop.abort(new Error('cancelled')));
        const executor = createPythonExecutor({
          clock: createSystemClock(),
          environment: machine,
          cgroup: () => null,
          environments: environments(),
        });
        const starting = executor.start(
          {
            spec: SPEC,
            directory: await bundle(greeting.line),
            entrypoint: 'main.py',
            runId: 'run-1',
            attempt: 1,
            tenant: 'acme',
            version: 'v1.0.7',
            runDirectory: join(folder, 'runs', 'run-1', '1'),
            input: {},
            timeoutMs: 20_000,
            secrets: {},
            traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
            signal: stop.signal,
          },
          settings,
        );
        await expect(starting).rejects.toThrow('cancelled');
        expect(await names()).toEqual([]);
      });

      it('is built again when a file was changed, removed or added', async () => {
        const directory = await bundle(greeting.line);
        const built = await build(directory);
        if (built.kind !== 'ready') throw new Error(JSON.stringify(built));
        const module = (await readdir(built.folder, { recursive: true })).find((name) =>
          name.endsWith('greeting.py'),
        );
        const at = join(built.folder, module as string, '..');
        const file = join(at, 'greeting.py');
        const changes = [
          () => appendFile(file, '\n'),
          () => rm(file),
          () => writeFile(join(at, 'sitecustomize.py'), ''),
        ];
        for (const change of changes) {
          events = [];
          await chmod(at, 0o755);
          await chmod(file, 0o644);
          await change();
          await chmod(file, 0o444).catch(() => {});
          await chmod(at, 0o555);
          expect(await build(directory)).toMatchObject({ kind: 'ready', folder: built.folder });
          expect(reasons()).toEqual(['DriftDetected', 'EnvironmentBuilt']);
          expect(await readFile(file, 'utf8')).toBe('def hello(): return "bonjour"');
          expect(await readdir(at)).not.toContain('sitecustomize.py');
        }
      });

      it('serves a run though the installer has changed since', async () => {
        const directory = await bundle(greeting.line);
        const built = await build(directory);
        await index[Symbol.asyncDispose]();
        index = await startPackageIndex([]);
        const other = installer === 'uv' ? 'pip' : 'uv';
        const changed = { ...settings, python: { ...settings.python, installer: other } as const };
        const subject = { directory, flow: 'a', version: 'v1' };
        expect(await environments().open(subject, interpreter, changed, never)).toMatchObject({
          kind: 'ready',
          folder: built.kind === 'ready' ? built.folder : '',
        });
      });

      it('is not collected under a run', async () => {
        const subject = environments();
        const bench = await createBench({
          create: (deps) => createPythonExecutor({ ...deps, environment: machine, environments: subject }),
          async install(directory, source) {
            await writeFile(join(directory, 'requirements.lock'), greeting.line);
            await writeFile(join(directory, 'main.py'), source);
            return 'main.py';
          },
        });
        const collect = async () => {
          const yesterday = new Date(Date.now() - 25 * 3_600_000);
          for (const name of await names()) await utimes(join(envs, name, '.complete'), yesterday, yesterday);
          return subject.collect([], settings, { dryRun: true, signal: never });
        };
        const handle = await bench.begin('import time; time.sleep(60)', {}, { python: settings.python });
        expect(handle.process).not.toBeNull();
        expect(await collect()).toEqual([]);
        handle.cancel();
        await handle.done;
        await bench.dispose();
        // What it was used until now is noted meanwhile.
        await vi.waitFor(async () => expect(await collect()).toHaveLength(1));
      });

      it('is collected when no bundle needs it and nobody used it for a day', async () => {
        const other = makeWheel(join(folder, 'made'), 'other', 'x = 1');
        await index[Symbol.asyncDispose]();
        index = await startPackageIndex([greeting, other]);
        machine = { ...machine, ...index.environment };
        const kept = await bundle(greeting.line);
        await build(kept);
        const [keptName] = await names();
        await build(await bundle(other.line));
        events = [];
        const collect = (dryRun: boolean) =>
          environments().collect([kept], settings, { dryRun, signal: never });
        expect(await collect(false)).toEqual([]);
        const yesterday = new Date(Date.now() - 25 * 3_600_000);
        for (const name of await names()) await utimes(join(envs, name, '.complete'), yesterday, yesterday);
        expect(await collect(true)).toHaveLength(1);
        expect(await names()).toHaveLength(2);
        const [gone] = await collect(false);
        expect(gone?.bytes).toBeGreaterThan(0);
        expect(await names()).toEqual([keptName]);
        expect(reasons()).toEqual(['EnvironmentPruned']);

        // Of the same lock, for another interpreter: perhaps that of the daemon.
        const elsewhere = join(envs, 'ffffffffffffffff-01234567');
        await cp(join(envs, keptName as string), elsewhere, { recursive: true });
        const mark = join(elsewhere, '.complete');
        await utimes(mark, yesterday, yesterday);
        expect(await collect(false)).toEqual([]);
        const longAgo = new Date(Date.now() - 31 * 86_400_000);
        await utimes(mark, longAgo, longAgo);
        expect(await collect(false)).toMatchObject([{ name: 'ffffffffffffffff-01234567' }]);
        expect(await names()).toEqual([keptName]);
      });
    });

    const startBuilder = (directory: string) => {
      const child = spawn(
        process.execPath,
        ['test/support/environment-builder.ts', envs, directory, JSON.stringify(settings)],
        { env: machine, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk;
      });
      return {
        kill: () => child.kill('SIGKILL'),
        ended: async () => {
          // Its installer may hold its output open.
          if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
          return said.trim().split('\n');
        },
      };
    };
  });
});

describe('an environment for a Python that flows may change', () => {
  it.skipIf(process.getuid?.() !== 0)('is refused before the agent runs it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'environment-'));
    await chmod(folder, 0o755);
    const greeting = makeWheel(folder, 'greeting', '');
    await writeFile(join(folder, 'requirements.lock'), greeting.line);
    const python = join(folder, 'python3');
    await writeFile(python, `#!/bin/sh\ntouch ${folder}/ran\n`, { mode: 0o755 });
    await chmod(python, 0o777);
    const built = await createPythonEnvironments({
      folder: join(folder, 'envs'),
      clock: createSystemClock(),
      environment: MACHINE,
      events: null,
    }).build(
      { directory: folder, flow: 'a', version: 'v1' },
      { kind: 'found', path: python, version: '3.11.7' },
      { ...SETTINGS, user: 'nobody' },
      never,
    );
    expect(built).toMatchObject({
      kind: 'stalled',
      code: 'interpreter_missing',
      message: expect.stringContaining('nobody (runs.user) may change it'),
    });
    expect(await readdir(folder)).not.toContain('ran');
    await rm(folder, { recursive: true });
  });
});
