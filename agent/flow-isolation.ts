import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ownCgroup } from '../executors/cgroup.ts';
import { makeRoom } from '../executors/cgroup-room.ts';
import { createFlowSandbox, type FlowSandbox } from '../executors/flow-sandbox.ts';
import { isolationLevel, isSandboxed } from '../executors/isolation.ts';
import { enterScope } from '../executors/systemd-scope.ts';
import type { RunSettings } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { Log } from '../system/log.ts';
import { type AgentPaths, configPath } from './paths.ts';

/** What keeps flows apart from the agent, and how far it does on this machine. */
export interface FlowIsolation {
  readonly sandbox: FlowSandbox;
  /** For `status.isolation`, as it was when last looked at. */
  level(): string;
  /** After a change of `runs.user`, and now and then: programs are installed while an agent runs. */
  look(): Promise<void>;
}

export async function createFlowIsolation(inputs: {
  config: () => AgentConfig;
  paths: () => AgentPaths;
  runs: () => RunSettings;
  daemon: boolean;
  log: Log;
}): Promise<FlowIsolation> {
  const { config, paths, runs } = inputs;
  // A command that ends soon leaves the group of a person's shell as it is.
  if (inputs.daemon) await takeGroup();
  const sandbox = createFlowSandbox(process.env, () => {
    const { cache, state, credentials, config: file, socket } = paths();
    const { tunnel, tenant } = config();
    const secretFiles = 'token_file' in tunnel ? [configPath(tunnel.token_file, file)] : [];
    return { cache, slug: tenant, state, credentials, config: file, socket, secretFiles };
  });
  let sandboxed = false;
  const look = async () => {
    if (runs().user !== null) await closeOtherTenants(paths().cache, config().tenant, inputs.log);
    sandboxed = await isSandboxed(sandbox, runs());
  };
  await look();
  return { sandbox, look, level: () => isolationLevel(runs(), sandboxed) };
}

/** A group of this process in which each run gets one with limits: its own, else one that systemd gives it. */
async function takeGroup(): Promise<void> {
  const own = ownCgroup();
  if (own !== null && (await makeRoom(own))) return;
  const given = (await enterScope(process.env)) ? ownCgroup() : null;
  if (given !== null) await makeRoom(given);
}

/** The account of flows reads versions of this tenant; those of tenants that were served before are not its business. */
async function closeOtherTenants(cache: string, tenant: string, log: Log): Promise<void> {
  for (const entry of await readdir(cache, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory() || entry.name === tenant) continue;
    const folder = join(cache, entry.name);
    const pointer = await lstat(join(folder, 'current.json')).catch(() => null);
    // A folder of somebody else's, or a disk that takes no change: the agent works all the same.
    if (pointer !== null)
      await chmod(folder, 0o700).catch((error: unknown) => {
        log.warn(`${folder}: expected to close it to the account of flows, and could not`, { error });
      });
  }
}
