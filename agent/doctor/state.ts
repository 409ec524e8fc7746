import { existsSync } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Current } from '../../schemas/current.ts';
import { readCompleteMark } from '../../store/complete-mark.ts';
import { notOurs, stateClaim, wayOut } from '../state-owner.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { quickCheck } from './database-look.ts';
import { kindFinding, nearest, probeFolder, spaceFindings } from './file-system.ts';
import type { Patient } from './patient.ts';

/** `<edge_cache_dir>` and the state directory in it. */
export function stateChecks(patient: Patient): Check[] {
  const { paths, loaded } = patient;
  const base = { group: 'state', code: 4 } as const;
  const folder = nearest(paths.state);
  const ofFolder: Check[] = [
    { ...base, name: 'state.folder', expected: FOLDER, run: () => folderFinding(paths.state, loaded.config) },
    { ...base, name: 'state.file_system', expected: 'a local disk', run: async () => kindFinding(folder) },
    { ...base, name: 'state.writable', expected: 'a folder to write to', run: () => probeFolder(folder) },
    { ...base, name: 'state.space', expected: 'room', run: async () => spaceFindings(folder) },
    { ...base, name: 'state.owner', code: 2, expected: OWNER, run: async () => ownerFinding(patient) },
  ];
  // what another agent has there says nothing of this one
  if (patient.other !== null) return ofFolder;
  return [
    ...ofFolder,
    {
      ...base,
      name: 'state.database',
      expected: DATABASE,
      deadlineMs: 60_000,
      run: async () => databaseFinding(paths.database),
    },
    {
      ...base,
      name: 'state.pointer',
      expected: POINTER,
      run: () => pointerFinding(join(paths.cache, loaded.config.tenant)),
    },
    { ...base, name: 'state.holder', expected: HOLDER, run: () => holderFinding(patient) },
  ];
}

const FOLDER = 'a folder of this account that nobody else may write to';
const OWNER = 'the state of this agent, or nobody’s';
const DATABASE = 'a database without faults';
const POINTER = 'current.json names versions that are whole';
const HOLDER = 'a control socket that answers, or no agent at work';

async function folderFinding(
  state: string,
  { runs }: { runs: { user?: string | undefined } },
): Promise<Finding> {
  const name = 'state.folder';
  const found = await lstat(state).catch(() => null);
  if (found === null) return ok(name, `${state}: none yet; the first reconcile makes it`, FOLDER);
  if (!found.isDirectory()) return fail(name, `${state}: no folder`, FOLDER, 'move it out of the way');
  if (process.platform === 'win32') return ok(name, state, FOLDER);
  const mode = found.mode & 0o777;
  const shown = `${state} (${mode.toString(8).padStart(4, '0')}, uid ${found.uid})`;
  if (found.uid !== process.getuid?.())
    return fail(name, shown, FOLDER, 'run the command as that account, or give it the folder');
  const allowed = runs.user === undefined ? 0o700 : 0o711;
  if ((mode & ~allowed) === 0) return ok(name, shown, FOLDER);
  return warn(name, shown, FOLDER, `chmod ${allowed.toString(8)} ${state}`);
}

function ownerFinding({ loaded, paths, other }: Patient): Finding {
  const name = 'state.owner';
  const { agent_id: agentId } = loaded.config;
  if (other === null) return ok(name, agentId === undefined ? 'this agent' : `agent ${agentId}`, OWNER);
  const claim = stateClaim(loaded.config, paths);
  return fail(name, notOurs(claim, other), OWNER, wayOut(claim, other));
}

function databaseFinding(path: string): Finding {
  const name = 'state.database';
  try {
    const said = quickCheck(path);
    if (said === undefined) return ok(name, 'none yet', DATABASE);
    if (said === 'ok') return ok(name, path, DATABASE);
    return fail(name, `${path}: ${said}`, DATABASE, ADVICE);
  } catch (error) {
    return fail(name, `${path}: ${(error as Error).message}`, DATABASE, ADVICE);
  }
}

const ADVICE = 'end the agent, move the state directory away and reconcile; what trust remembers is kept';

async function pointerFinding(tenant: string): Promise<Finding> {
  const name = 'state.pointer';
  const path = join(tenant, 'current.json');
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return ok(name, 'none yet', POINTER);
  let current: Current;
  try {
    current = Current.parse(JSON.parse(text));
  } catch {
    return fail(
      name,
      `${path}: something else`,
      POINTER,
      'restore it from a backup, or remove it and reconcile',
    );
  }
  const flows = Object.entries(current.flows);
  const broken = flows.filter(
    ([, flow]) => readCompleteMark(join(tenant, flow.path))?.sha256 !== flow.sha256,
  );
  if (broken.length === 0) return ok(name, `${flows.length} active, all there`, POINTER);
  const named = broken.map(([id, { path: at }]) => `${id} (${at})`).join(', ');
  return fail(name, `not whole: ${named}`, POINTER, 'run edge-agent reconcile: it repairs them');
}

async function holderFinding({ paths, peer }: Patient): Promise<Finding> {
  const name = 'state.holder';
  if (peer !== null) return ok(name, `edge-agent ${peer.verb}, process ${peer.pid}`, HOLDER);
  const holder = await readFile(`${paths.lock}.holder`, 'utf8').catch(() => null);
  if (holder !== null && isAlive(holder)) {
    const advice = 'wait for it, or end it; if it does not answer for minutes it hangs';
    return warn(name, `${holder} does not answer at ${paths.socket}`, HOLDER, advice);
  }
  const stale = process.platform !== 'win32' && existsSync(paths.socket);
  if (stale) return ok(name, 'nobody; the last one was killed, the next one tidies up', HOLDER);
  return ok(name, 'nobody', HOLDER);
}

function isAlive(holder: string): boolean {
  try {
    const { pid } = JSON.parse(holder) as { pid: number };
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
