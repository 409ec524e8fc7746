import { stat } from 'node:fs/promises';
import { z } from 'zod';
import type { RunSettings, Stalled } from '../reconciler/ports.ts';
import { changeable, chooseAccount } from './account.ts';
import type { Interpreter } from './interpreter.ts';
import { runHelper } from './system-program.ts';

/** A Python as the agent installs packages for it. */
export interface PythonIdentity {
  readonly kind: 'known';
  readonly path: string;
  readonly version: string;
  /** What tells it from another build that would need other wheels: implementation, ABI, platform, the real file. */
  readonly build: string;
  /** Its own pip, or the one that ensurepip brings along; null when it has neither. */
  readonly pip: { readonly version: string; readonly run: readonly string[] } | null;
}

const PROBE_TIMEOUT_MS = 30_000;
/** pip before that has no `--python`. Source: pip's news, 22.3. */
const PIP_MIN = [22, 3] as const;

const Answer = z.object({
  build: z.string().max(4_096),
  pip: z.string().max(64).nullable(),
  bundled: z.string().max(4_096).nullable(),
  folders: z.array(z.string().max(4_096)).max(8),
});

const PROBE = `
import json, os, sys, sysconfig
try:
    from importlib.metadata import version
    pip = version("pip")
except Exception:
    pip = None
bundled = None
try:
    import ensurepip
    folder = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    named = getattr(ensurepip, "_WHEEL_PKG_DIR", None) or folder
    wheels = [os.path.join(f, n) for f in (named, folder) if os.path.isdir(f) for n in sorted(os.listdir(f)) if n.startswith("pip-")]
    bundled = wheels[0] if wheels else None
except Exception:
    pass
build = [sys.implementation.name, sysconfig.get_config_var("SOABI"), sysconfig.get_platform(), os.path.realpath(sys.executable)]
folders = [os.path.dirname(os.path.realpath(sys.executable))] + [sysconfig.get_path(n) for n in ("stdlib", "purelib")]
json.dump(dict(build=" ".join(map(str, build)), pip=pip, bundled=bundled, folders=folders), sys.stdout)
`;

/**
 * Asks an interpreter what it is and which pip it has, as the agent's own account: it is what will run the installer. So it is
 * refused (`interpreter_missing`) when flows, who run as another account, could change it. An answer holds while the file is
 * unchanged.
 */
export function createPythonIdentities(environment: Readonly<Record<string, string>>): {
  ask(
    interpreter: Interpreter,
    settings: RunSettings,
    signal: AbortSignal,
  ): Promise<PythonIdentity | Stalled>;
} {
  const known = new Map<string, PythonIdentity>();
  return {
    async ask(interpreter, settings, signal) {
      const { path, version } = interpreter;
      const choice = await chooseAccount(settings);
      const account = choice.kind === 'chosen' ? choice.account : null;
      const { ino, mtimeMs } = await stat(path);
      const key = JSON.stringify([path, version, ino, mtimeMs, account?.name]);
      const remembered = known.get(key);
      if (remembered !== undefined) return remembered;
      const unusable = (found: string): Stalled => ({
        kind: 'stalled',
        code: 'interpreter_missing',
        message: `expected a Python that packages can be installed for at ${path}, found ${found}. Name another in executors.python.interpreter`,
      });
      // Before the agent runs it as itself.
      if (account !== null && (await changeable(account, [path])))
        return unusable(`that ${account.name} (runs.user) may change it`);
      // -I: neither the variables nor the own packages of whoever the agent runs as.
      const asked = await runHelper(path, ['-I', '-c', PROBE], {
        env: environment,
        timeoutMs: PROBE_TIMEOUT_MS,
        signal,
      });
      signal.throwIfAborted();
      const answer = parsed(asked.stdout);
      if (answer === null) return unusable(`no answer (${asked.found ?? `exit code ${asked.exitCode}`})`);
      if (account !== null && (await changeable(account, answer.folders)))
        return unusable(`that ${account.name} (runs.user) may change what it consists of`);
      const identity: PythonIdentity = {
        kind: 'known',
        path,
        version,
        build: answer.build,
        pip: pipOf(answer),
      };
      known.set(key, identity);
      return identity;
    },
  };
}

function pipOf(answer: z.infer<typeof Answer>): PythonIdentity['pip'] {
  const [major = 0, minor = 0] = (answer.pip ?? '').split('.').map(Number);
  if (answer.pip !== null && (major > PIP_MIN[0] || (major === PIP_MIN[0] && minor >= PIP_MIN[1])))
    return { version: answer.pip, run: ['-I', '-m', 'pip'] };
  const bundled = /pip-([0-9][^-]*)-py/.exec(answer.bundled ?? '')?.[1];
  if (answer.bundled === null || bundled === undefined) return null;
  // A wheel is a zip that Python can run from (PEP 427).
  return { version: bundled, run: ['-I', `${answer.bundled}/pip`] };
}

function parsed(text: string): z.infer<typeof Answer> | null {
  try {
    return Answer.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
