import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { createInterpreterFinder } from '../../executors/interpreter.ts';

/** Credentials of the demo are kept by git's own helper, and `git init` names the first branch, since 2.28. */
const GIT_MIN = [2, 28] as const;
const PYTHON_MIN = '3.11';
const PROBE_TIMEOUT_MS = 10_000;

export interface Requirements {
  readonly git: string;
  readonly python: string;
}

/** Looks for what the demo needs beside Node. A text names everything that is missing: expected, found, what to do. */
export async function checkRequirements(signal: AbortSignal): Promise<Requirements | string> {
  const [git, python] = await Promise.all([
    gitVersion(signal),
    createInterpreterFinder(process.env).find(
      {
        python: { interpreter: 'auto', minVersion: PYTHON_MIN },
        user: null,
        allowRoot: true,
      },
      signal,
    ),
  ]);
  const missing = [
    ...(git.kind === 'missing' ? [git.message] : []),
    // The rest of the agent's own sentence is about an agent.yaml that nobody here has seen.
    ...(python.kind === 'stalled' ? [`${python.message.replace(/\. Install.*$/s, '')}; install it`] : []),
  ];
  if (git.kind === 'missing' || python.kind === 'stalled') return missing.join('\n');
  return { git: git.version, python: python.version };
}

type GitFound = { kind: 'found'; version: string } | { kind: 'missing'; message: string };

async function gitVersion(signal: AbortSignal): Promise<GitFound> {
  const wanted = GIT_MIN.join('.');
  const [version, folder] = await Promise.all([git(['--version'], signal), git(['--exec-path'], signal)]);
  const missing = (found: string): GitFound => {
    return {
      kind: 'missing',
      message: `expected git ${wanted} or later on PATH, found ${found}; install it`,
    };
  };
  if (version === null || folder === null) return missing('none');
  const [text, major, minor] = /(\d+)\.(\d+)[.\d]*/.exec(version) ?? [];
  if (text === undefined) return missing(JSON.stringify(version.slice(0, 60)));
  const older = Number(major) - GIT_MIN[0] || Number(minor) - GIT_MIN[1];
  if (older < 0) return missing(text);
  // Distributions split git into packages: pushing and serving over HTTP can be missing from a small one.
  for (const program of ['git-http-backend', 'git-remote-http']) {
    const file = join(folder, process.platform === 'win32' ? `${program}.exe` : program);
    const there = await access(file).then(
      () => true,
      () => false,
    );
    if (there) continue;
    const message = `expected git with ${program}, found git ${text} without it in ${folder}; install the whole of git (on some systems the packages git-daemon and git-remote-https)`;
    return { kind: 'missing', message };
  }
  return { kind: 'found', version: text };
}

async function git(args: string[], signal: AbortSignal): Promise<string | null> {
  const result = await execa('git', args, {
    reject: false,
    timeout: PROBE_TIMEOUT_MS,
    maxBuffer: 64 * 1024,
    stdin: 'ignore',
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  return result.exitCode === 0 ? result.stdout.trim() : null;
}
