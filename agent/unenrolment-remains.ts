import { existsSync } from 'node:fs';
import { readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { removeTree } from '../executors/folder-removal.ts';
import { deviceKeyStoreOf } from '../trust/device-keys.ts';
import { DEVICE_KEY_SLOTS } from '../trust/key-stores/port.ts';
import { TRUST_STATE_FILE } from '../trust/trust-state-file.ts';
import { writeGiven } from './key-files.ts';
import { MACHINE_FILE } from './machine-fingerprint.ts';
import { OperationError } from './operation-error.ts';
import type { AgentPaths } from './paths.ts';

/** What lets this machine in, beside the device key. */
const CREDENTIALS = ['git-token', 'artifacts.json', MACHINE_FILE, 'device-key.json'];
/** What is of use to the next enrolment, and goes with `--purge` alone. */
const MEMORY = ['root.jws.json', 'root.json', TRUST_STATE_FILE, 'command-time.json', 'secrets.yaml'];

export interface Remains {
  /** Files, folders and items of a keystore that go. */
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

/** What there is of an agent on this machine. Changes nothing. */
export async function remainsOf(paths: AgentPaths, tenant: string, purging: boolean): Promise<Remains> {
  const store = await deviceKeyStoreOf(paths.credentials).catch(() => null);
  const keys: string[] = [];
  for (const slot of DEVICE_KEY_SLOTS) {
    // one that cannot be read is there all the same
    const key = store === null ? null : await store.read(slot).catch(() => 'unreadable' as const);
    if (store !== null && key !== null) keys.push(store.place(slot));
  }
  const inCredentials = (names: readonly string[]) =>
    names.map((name) => join(paths.credentials, name)).filter((path) => existsSync(path));
  const more = [
    ...inCredentials(MEMORY),
    ...[join(paths.cache, tenant), paths.state].filter((path) => existsSync(path)),
  ];
  const removed = [...new Set([...keys, ...inCredentials(CREDENTIALS)])];
  return {
    removed: purging ? [...removed, ...more] : removed,
    kept: [...(purging ? [] : more), paths.config],
  };
}

/** Whoever calls this holds the state lock. */
export async function removeCredentials(paths: AgentPaths): Promise<void> {
  const store = await deviceKeyStoreOf(paths.credentials);
  for (const slot of DEVICE_KEY_SLOTS) await store.remove(slot);
  // last of all the file that says where the keys are
  for (const name of CREDENTIALS) await rm(join(paths.credentials, name), { force: true });
}

/** The rest of agent.yaml is a person's, comments and all. */
export async function takeOutAgentId(file: string): Promise<void> {
  const document = parseDocument(await readFile(file, 'utf8'));
  if (!document.has('agent_id')) return;
  document.delete('agent_id');
  const { mode } = await stat(file);
  await writeGiven(file, document.toString({ lineWidth: 0 }), mode & 0o777);
}

/** Versions, state, what trust remembers, secrets of flows. The lock goes with them: it is not held any more. */
export async function purgeAgent(paths: AgentPaths, tenant: string): Promise<void> {
  for (const name of MEMORY) await rm(join(paths.credentials, name), { force: true });
  for (const folder of [join(paths.cache, tenant), paths.state]) {
    if (await removeTree(folder)) continue;
    const message = `${folder}: expected a folder that can be removed, found files of another account in it; remove it as that account, or as root`;
    throw new OperationError('state_unusable', message, { exitCode: 4 });
  }
  // other tenants may have their versions beside
  await rmdir(paths.cache).catch(() => undefined);
}
