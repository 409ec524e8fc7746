import { createInterpreterFinder } from '../../executors/interpreter.ts';
import { isolationReport } from '../../executors/isolation-report.ts';
import { browserSources, programOnPath } from '../../executors/system-browser.ts';
import { runHelper } from '../../executors/system-program.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';

const PROBE_MS = 20_000;
const PYTHON = 'a Python that flows can run with';
const INSTALLER = 'uv or pip, for flows with a requirements file';
const BROWSER = 'a browser for Playwright, or a way to install one';

/** What flows need of this machine, and what keeps them apart from the agent. */
export function flowChecks(patient: Patient): Check[] {
  const base = { group: 'flows', code: 4 } as const;
  return [
    {
      ...base,
      name: 'flows.python',
      expected: PYTHON,
      deadlineMs: 30_000,
      run: (signal) => pythonFindings(patient, signal),
    },
    {
      ...base,
      name: 'flows.browser',
      expected: BROWSER,
      deadlineMs: 30_000,
      run: () => browserFinding(patient),
    },
    {
      ...base,
      name: 'flows.isolation',
      expected: 'flows are kept apart from the agent',
      run: () => isolationFindings(patient),
    },
  ];
}

/** A machine whose flows are of other kinds needs no Python. */
async function pythonFindings(patient: Patient, signal: AbortSignal): Promise<Finding[]> {
  const { settings } = patient;
  const needed = uses(patient, ['python', 'playwright']);
  const found = await createInterpreterFinder(process.env).find(settings.runs, signal);
  if (found.kind !== 'found') {
    const finding = (needed ? fail : warn)('flows.python', found.message, PYTHON, null);
    return [finding];
  }
  const python = ok('flows.python', `${found.version} at ${found.path}`, PYTHON);
  return [python, await installerFinding(patient, found.path)];
}

async function installerFinding({ settings }: Patient, python: string): Promise<Finding> {
  const name = 'flows.installer';
  const { installer } = settings.runs.python;
  const uv = installer === 'pip' ? null : await programOnPath('uv', process.env);
  if (uv !== null) {
    const { exitCode, stdout } = await runHelper(uv, ['--version'], { timeoutMs: PROBE_MS });
    if (exitCode === 0) return ok(name, `${stdout.slice(0, 60)} at ${uv}`, INSTALLER);
  }
  const advice = 'install uv, or pip into the interpreter; flows without a requirements file need neither';
  if (installer === 'uv') return warn(name, 'no uv on PATH', INSTALLER, advice);
  const pip = await runHelper(python, ['-m', 'pip', '--version'], { timeoutMs: PROBE_MS });
  if (pip.exitCode === 0) return ok(name, pip.stdout.slice(0, 120), INSTALLER);
  return warn(name, 'neither uv on PATH nor pip in the interpreter', INSTALLER, advice);
}

async function browserFinding(patient: Patient): Promise<Finding> {
  const name = 'flows.browser';
  const [first] = await browserSources(patient.settings.runs.playwright.browser, process.env);
  switch (first?.kind) {
    case 'program': {
      const { exitCode, stdout, found } = await runHelper(first.path, ['--version'], { timeoutMs: PROBE_MS });
      if (exitCode === 0) return ok(name, `${stdout.slice(0, 80).trim()} at ${first.path}`, BROWSER);
      const shown = `${first.path} does not start (${found ?? `exit code ${exitCode}`})`;
      const finding = uses(patient, ['playwright']) ? fail : warn;
      return finding(name, shown, BROWSER, 'correct executors.playwright.browser, or install Chromium');
    }
    case 'installed':
      return ok(name, `of Playwright, in ${first.folder}`, BROWSER);
    default:
      return ok(name, 'none here: Playwright installs its own for the first flow', BROWSER);
  }
}

async function isolationFindings({ settings }: Patient): Promise<Finding[]> {
  const expected = 'flows are kept apart from the agent';
  const { level, layers } = await isolationReport(settings.runs);
  return [
    ok('flows.isolation', level, expected),
    ...layers.map(({ name, reached, found, advice }) => {
      const at = `flows.isolation.${name}`;
      if (reached) return ok(at, found, expected);
      if (name === 'account' && level === 'refused') return fail(at, found, expected, advice);
      return warn(at, found, expected, advice);
    }),
  ];
}

function uses({ status }: Patient, runtimes: readonly string[]): boolean {
  return status?.flows.some(({ runtime }) => runtime !== null && runtimes.includes(runtime)) ?? false;
}
