import type { RunSettings } from '../reconciler/ports.ts';
import { networkEnvironment } from './environment.ts';

const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'XDG_CONFIG_HOME', 'XDG_CONFIG_DIRS'];
const PASSED_ON_WINDOWS = [
  'SystemRoot',
  'SystemDrive',
  'windir',
  'ComSpec',
  'PATHEXT',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'ProgramData',
];
/** Where the machine says packages come from. Whatever else pip and uv can be told could weaken how they install. */
const PIP = [
  'INDEX_URL',
  'EXTRA_INDEX_URL',
  'FIND_LINKS',
  'NO_INDEX',
  'TRUSTED_HOST',
  'CLIENT_CERT',
  'DEFAULT_TIMEOUT',
  'TIMEOUT',
  'RETRIES',
  'CONFIG_FILE',
];
const UV = [
  'INDEX_URL',
  'EXTRA_INDEX_URL',
  'DEFAULT_INDEX',
  'INDEX',
  'FIND_LINKS',
  'INSECURE_HOST',
  'NATIVE_TLS',
  'SYSTEM_CERTS',
  'HTTP_TIMEOUT',
  'HTTP_RETRIES',
  'CONFIG_FILE',
];
/** uv's user and password of a named index. */
const UV_INDEX_CREDENTIAL = /^UV_INDEX_[A-Z0-9_]{1,64}_(?:USERNAME|PASSWORD)$/;

/** The environment of an interpreter's probe and of an installer: the machine's own configuration of them, nothing of the agent's. */
export function installerBase(machine: NodeJS.ProcessEnv): Record<string, string> {
  const names = [
    ...PASSED_ON,
    ...(process.platform === 'win32' ? PASSED_ON_WINDOWS : []),
    ...PIP.map((name) => `PIP_${name}`),
    ...UV.map((name) => `UV_${name}`),
    ...Object.keys(machine).filter((name) => UV_INDEX_CREDENTIAL.test(name)),
  ];
  const found = names.flatMap((name) => (machine[name] === undefined ? [] : [[name, machine[name]]]));
  return { PATH: '/usr/local/bin:/usr/bin:/bin', ...Object.fromEntries(found), PYTHONUTF8: '1' };
}

/** With the proxy and the CA of `network`, and a temporary folder on the disk of the environment. */
export function installerEnvironment(
  machine: NodeJS.ProcessEnv,
  settings: Pick<RunSettings, 'proxy' | 'caFile'>,
  temporary: string,
): Record<string, string> {
  const pipCa = settings.caFile ?? machine['PIP_CERT'];
  return {
    ...installerBase(machine),
    ...networkEnvironment(settings, machine),
    ...(settings.proxy === null ? {} : { PIP_PROXY: settings.proxy }),
    ...(pipCa === undefined ? {} : { PIP_CERT: pipCa }),
    TMPDIR: temporary,
    ...(process.platform === 'win32' ? { TEMP: temporary, TMP: temporary } : {}),
  };
}
