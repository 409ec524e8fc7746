import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAutoHotkeyExecutor } from '../../executors/autohotkey.ts';
import {
  type AutoHotkey,
  findAutoHotkeys,
  installFolders,
  programPaths,
  registryValue,
} from '../../executors/autohotkey-program.ts';
import { autoHotkeyArguments, chooseAutoHotkey, requiredMajor } from '../../executors/autohotkey-script.ts';
import { ownCgroup } from '../../executors/cgroup.ts';
import { createManualClock, createSystemClock } from '../../system/clock.ts';
import { createBench, SETTINGS, SPEC, text } from '../contract/executor.ts';

const never = new AbortController().signal;
const deps = { clock: createSystemClock(), environment: process.env, cgroup: ownCgroup };
const V2: AutoHotkey = { major: 2, path: 'C:\\AutoHotkey\\v2\\AutoHotkey64.exe' };
const V1: AutoHotkey = { major: 1, path: 'C:\\AutoHotkey\\v1.1.37.02\\AutoHotkeyU64.exe' };

describe('which AutoHotkey a script asks for', () => {
  it.each([
    ['#Requires AutoHotkey v2.0\nMsgBox 1', 2],
    ['; a comment\r\n  #requires autohotkey >=2.0- <2.1\r\n', 2],
    ['#Requires AutoHotkey v1.1.33+', 1],
    ['#Requires AutoHotkey >= 1.1', 1],
    ['#Requires AutoHotkey 64-bit', null],
    ['/*\n#Requires AutoHotkey v1.1\n*/\n#Requires AutoHotkey v2.0', 2],
    ['; #Requires AutoHotkey v1.1', null],
    ['MsgBox, hello', null],
    ['', null],
  ])('%j: %s', (script, major) => {
    expect(requiredMajor(script)).toBe(major);
  });

  it('is version 2 when it does not say, and never the other one when it does', () => {
    expect(chooseAutoHotkey([V1, V2], null)).toBe(V2);
    expect(chooseAutoHotkey([V1], null)).toBe(V1);
    expect(chooseAutoHotkey([V1, V2], 1)).toBe(V1);
    expect(chooseAutoHotkey([V2], 1)).toBeNull();
    expect(chooseAutoHotkey([], null)).toBeNull();
  });
});

describe('where AutoHotkey is looked for', () => {
  it('reads the folder of the registry as reg.exe prints it', () => {
    const printed =
      '\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\AutoHotkey\r\n    InstallDir    REG_SZ    C:\\Program Files\\AutoHotkey\r\n\r\n';
    expect(registryValue(printed)).toBe('C:\\Program Files\\AutoHotkey');
    expect(registryValue('ERROR: The system was unable to find the specified registry key.')).toBeNull();
  });

  it('looks in each folder once, as registered before where installers put it', () => {
    const machine = { ProgramFiles: 'C:\\Program Files', LOCALAPPDATA: 'C:\\Users\\a\\AppData\\Local' };
    expect(installFolders([null, 'D:\\Ahk', 'C:\\Program Files\\AutoHotkey\\'], machine)).toEqual([
      'D:\\Ahk',
      'C:\\Program Files\\AutoHotkey',
      'C:\\Users\\a\\AppData\\Local\\Programs\\AutoHotkey',
    ]);
  });

  it('prefers the newest version of a folder, 64 bits before 32, and never the launcher or an ANSI build', () => {
    const paths = programPaths('C:\\Ahk', ['UX', 'v2', 'v2.0.9', 'v2.0.18', 'v1.1.37.02', 'Compiler']);
    expect(paths.slice(0, 2)).toEqual([
      { major: 2, path: 'C:\\Ahk\\v2.0.18\\AutoHotkey64.exe' },
      { major: 2, path: 'C:\\Ahk\\v2.0.18\\AutoHotkey32.exe' },
    ]);
    expect(paths.at(-1)).toEqual({ major: 1, path: 'C:\\Ahk\\AutoHotkeyU32.exe' });
    expect(paths.filter(({ path }) => /UX|A32|Compiler/.test(path))).toEqual([]);
  });
});

describe('the command line of AutoHotkey', () => {
  it('puts the switches before the script, and the flow’s arguments after it', () => {
    expect(autoHotkeyArguments(V2, 'C:\\b\\main.ahk', ['--fast', '/force'], 'C:\\r\\on-error.ahk')).toEqual([
      '/force',
      '/ErrorStdOut=UTF-8',
      '/CP65001',
      '/include',
      'C:\\r\\on-error.ahk',
      'C:\\b\\main.ahk',
      '--fast',
      '/force',
    ]);
  });

  it('includes nothing before a script of version 1, which may not know how', () => {
    const args = autoHotkeyArguments(V1, 'C:\\b\\main.ahk', [], 'C:\\r\\on-error.ahk');
    expect(args).toEqual(['/force', '/ErrorStdOut=UTF-8', '/CP65001', 'C:\\b\\main.ahk']);
  });
});

describe('the ahk executor', () => {
  let folder: string;
  let standIn: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ahk-'));
    standIn = join(folder, 'stand-in');
    // no AutoHotkey: it prints its arguments and ends as an error of loading does
    await writeFile(standIn, '#!/bin/sh\nprintf "%s\\n" "$@"\necho "main.ahk (1) : ==> no" >&2\nexit 2\n');
    await chmod(standIn, 0o755);
    await mkdir(join(folder, 'bundle'));
    await writeFile(join(folder, 'bundle', 'main.ahk'), '\uFEFF#Requires AutoHotkey v1.1\n');
    await writeFile(
      join(folder, 'bundle', 'utf16.ahk'),
      Buffer.from('\uFEFF#Requires AutoHotkey v1.1\r\n', 'utf16le'),
    );
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ['linux', 'Linux'],
    ['darwin', 'macOS'],
  ] as const)(
    'is refused on %s before anything is downloaded, by the platform’s name',
    async (platform, name) => {
      const executor = createAutoHotkeyExecutor(deps, { platform, find: () => Promise.resolve([V2]) });
      expect(await executor.supports(SETTINGS, never)).toEqual({
        kind: 'stalled',
        code: 'runtime_unsupported',
        message: expect.stringContaining(`expected Windows for a flow of runtime ahk, found ${name}`),
      });
    },
  );

  it('names what is missing on a Windows without AutoHotkey, or without the version a script asks for', async () => {
    const none = createAutoHotkeyExecutor(deps, { platform: 'win32', find: () => Promise.resolve([]) });
    expect(await none.supports(SETTINGS, never)).toMatchObject({ code: 'interpreter_missing' });
    const two = createAutoHotkeyExecutor(deps, { platform: 'win32', find: () => Promise.resolve([V2]) });
    expect(await two.supports(SETTINGS, never)).toEqual({ kind: 'supported' });
    for (const entrypoint of ['main.ahk', 'utf16.ahk']) {
      const version = { spec: SPEC, directory: join(folder, 'bundle'), entrypoint };
      expect(await two.prepare(version, SETTINGS, never)).toMatchObject({
        code: 'interpreter_missing',
        message: expect.stringMatching(/expected AutoHotkey version 1 .* found only .*AutoHotkey64\.exe/),
      });
    }
  });

  it('looks again for what it did not find, and not at every reconcile for what it found', async () => {
    const clock = createManualClock(new Date('2026-11-20T15:00:00Z'));
    let looks = 0;
    let there: AutoHotkey[] = [];
    const find = () => {
      looks += 1;
      return Promise.resolve(there);
    };
    const executor = createAutoHotkeyExecutor({ ...deps, clock }, { platform: 'win32', find });
    expect((await executor.supports(SETTINGS, never)).kind).toBe('stalled');
    there = [V2];
    expect((await executor.supports(SETTINGS, never)).kind).toBe('supported');
    expect((await executor.supports(SETTINGS, never)).kind).toBe('supported');
    expect(looks).toBe(2);
    await clock.advance(600_000);
    await executor.supports(SETTINGS, never);
    expect(looks).toBe(3);
  });

  it.skipIf(process.platform === 'win32')(
    'runs what it found with that command line (a stand-in for AutoHotkey)',
    async () => {
      const bench = await createBench({
        create: () =>
          createAutoHotkeyExecutor(deps, {
            platform: 'win32',
            find: () => Promise.resolve([{ major: 2, path: standIn }]),
          }),
        async install(bundle, source) {
          await writeFile(join(bundle, 'main.ahk'), source);
          return 'main.ahk';
        },
      });
      const result = await bench.run('MsgBox 1', { spec: { ...SPEC, args: ['two words'] } });
      const onError = join(bench.runDirectory, 'on-error.ahk');
      const script = join(bench.folder, 'bundle', 'main.ahk');
      expect(text(result.stdout).trim().split('\n')).toEqual([
        '/force',
        '/ErrorStdOut=UTF-8',
        '/CP65001',
        '/include',
        onError,
        script,
        'two words',
      ]);
      expect(result).toMatchObject({ status: 'failed', exitCode: 2, reason: 'exit code 2' });
      expect(await readFile(onError, 'utf8')).toContain('ExitApp(2)');
      await bench.dispose();
    },
  );
});

// Shown on Windows only (.github/workflows/windows.yml).
describe.runIf(process.platform === 'win32')('the AutoHotkey of this machine', () => {
  const subject = {
    create: () => createAutoHotkeyExecutor(deps),
    async install(bundle: string, source: string) {
      await writeFile(join(bundle, 'main.ahk'), source);
      return 'main.ahk';
    },
  };
  const run = async (source: string, change = {}) => {
    const bench = await createBench(subject);
    try {
      return await bench.run(source, change);
    } finally {
      await bench.dispose();
    }
  };

  it('is found in both versions', async () => {
    const majors = new Set((await findAutoHotkeys(process.env)).map(({ major }) => major));
    expect(majors).toEqual(new Set([1, 2]));
  });

  it('prints UTF-8, takes arguments, and gives its exit code (version 2)', async () => {
    const result = await run(
      '#Requires AutoHotkey v2.0\nFileAppend A_Args[1] " é 円`n", "*", "UTF-8-RAW"\nExitApp 7\n',
      { spec: { ...SPEC, args: ['two words'] } },
    );
    expect(text(result.stdout)).toBe('two words é 円\n');
    expect(result).toMatchObject({ status: 'failed', exitCode: 7 });
  });

  it('says an error that nobody catches instead of waiting at a dialog (version 2)', async () => {
    const result = await run('#Requires AutoHotkey v2.0\nthrow Error("no é such invoice")\n');
    expect(text(result.stderr)).toContain('no é such invoice');
    expect(result).toMatchObject({ status: 'failed', exitCode: 2 });
  });

  it.each([
    ['v2.0', 'if (\n'],
    ['v1.1', 'NoSuchCommand, 1\n'],
  ])('says why a script does not load (%s)', async (version, source) => {
    const result = await run(`#Requires AutoHotkey ${version}\n${source}`);
    expect(text(result.stderr)).toContain('main.ahk');
    expect(result).toMatchObject({ status: 'failed', exitCode: 2 });
  });

  it('prints UTF-8 and gives its exit code (version 1)', async () => {
    const result = await run('#Requires AutoHotkey v1.1\nFileAppend, é 円`n, *, UTF-8-RAW\nExitApp, 3\n');
    expect(text(result.stdout)).toBe('é 円\n');
    expect(result).toMatchObject({ status: 'failed', exitCode: 3 });
  });

  it('is ended at its timeout', async () => {
    const result = await run('#Requires AutoHotkey v2.0\nPersistent\n', { timeoutMs: 1_000 });
    expect(result.status).toBe('timed_out');
  });
});
