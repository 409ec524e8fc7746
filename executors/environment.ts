import type { RunRequest, RunSettings } from '../reconciler/ports.ts';
import type { RunFolders } from './run-folders.ts';

const PASSED_ON = ['PATH', 'LANG', 'LC_ALL', 'TZ'];
/** Without these, programs on Windows do not start at all. */
const PASSED_ON_WINDOWS = [
  'SystemRoot',
  'SystemDrive',
  'windir',
  'ComSpec',
  'PATHEXT',
  'NUMBER_OF_PROCESSORS',
  'PROCESSOR_ARCHITECTURE',
  'ProgramData',
  'ProgramFiles',
  'ProgramFiles(x86)',
];
const PROXY = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'https_proxy', 'http_proxy', 'all_proxy'];
const NO_PROXY = ['NO_PROXY', 'no_proxy'];
const CA_FILE = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS', 'CURL_CA_BUNDLE'];

/** The person's session, for windows to be shown in. */
const DESKTOP = ['DISPLAY', 'WAYLAND_DISPLAY', 'XDG_RUNTIME_DIR'];

type Environment = Record<string, string>;

/**
 * The whole environment of a flow (contract, section 6), later entries winning: what the machine says, proxy and CA,
 * the run's own folders, the desktop where it works on one, what its executor needs, `runs.env`, the flow's `env`, its secrets; `EDGE_*` of this run and `TRACEPARENT` win over all.
 */
export function flowEnvironment(
  request: RunRequest,
  settings: RunSettings,
  folders: RunFolders,
  machine: NodeJS.ProcessEnv,
  ofExecutor: Readonly<Environment> = {},
  platform: NodeJS.Platform = process.platform,
): Environment {
  const windows = platform === 'win32';
  const secrets = request.spec.secrets.map((name) => [name, request.secrets[name] as string]);
  return {
    ...(windows ? {} : { PATH: '/usr/local/bin:/usr/bin:/bin' }),
    ...pick(machine, PASSED_ON),
    ...(windows ? pick(machine, PASSED_ON_WINDOWS) : {}),
    ...(settings.timezone === null ? {} : { TZ: settings.timezone }),
    ...networkEnvironment(settings, machine),
    HOME: folders.home,
    TMPDIR: folders.tmp,
    ...(windows ? { USERPROFILE: folders.home, TEMP: folders.tmp, TMP: folders.tmp } : {}),
    PYTHONUTF8: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    ...(seesTheDesktop(request) ? pick(machine, DESKTOP) : {}),
    ...ofExecutor,
    ...settings.env,
    ...request.spec.env,
    ...Object.fromEntries(secrets),
    EDGE_RUN_ID: request.runId,
    EDGE_ATTEMPT: String(request.attempt),
    EDGE_FLOW: request.spec.id,
    EDGE_VERSION: request.version,
    EDGE_TENANT: request.tenant,
    EDGE_BUNDLE_DIR: request.directory,
    EDGE_INPUT: folders.input,
    EDGE_OUTPUT_DIR: folders.output,
    TRACEPARENT: request.traceparent,
  };
}

/** A browser may have windows; other flows say that they want the desktop by holding its lock. */
function seesTheDesktop({ spec }: RunRequest): boolean {
  return spec.runtime === 'playwright' || spec.lock === 'desktop';
}

/** What of the environment must not be shown in the flow's output: its secrets, and the password of the proxy. */
export function secretValues(
  request: RunRequest,
  settings: RunSettings,
  machine: NodeJS.ProcessEnv,
): string[] {
  const passwords = Object.entries(networkEnvironment(settings, machine)).flatMap(([, value]) => {
    const password = URL.parse(value)?.password ?? '';
    return password === '' ? [] : [password, decoded(password)];
  });
  return [...Object.values(request.secrets), ...passwords];
}

/** The variables of proxy and CA that programs read: as agent.yaml says, else as the machine does. */
export function networkEnvironment(
  settings: Pick<RunSettings, 'proxy' | 'caFile'>,
  machine: NodeJS.ProcessEnv,
): Environment {
  const { proxy, caFile } = settings;
  return {
    ...(proxy === null ? pick(machine, PROXY) : Object.fromEntries(PROXY.map((name) => [name, proxy]))),
    ...pick(machine, NO_PROXY),
    ...(caFile === null
      ? pick(machine, [...CA_FILE, 'SSL_CERT_DIR'])
      : Object.fromEntries(CA_FILE.map((name) => [name, caFile]))),
  };
}

function pick(machine: NodeJS.ProcessEnv, names: readonly string[]): Environment {
  return Object.fromEntries(
    names.flatMap((name) => (machine[name] === undefined ? [] : [[name, machine[name]]])),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
