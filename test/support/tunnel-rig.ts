import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listProcesses } from '../../executors/process-table.ts';
import { createCommandInbox } from '../../reconciler/command-inbox.ts';
import type { Tunnel } from '../../reconciler/ports.ts';
import type { EventDraft } from '../../schemas/event.ts';
import type { TunnelClient } from '../../schemas/tunnel-client.ts';
import { createSupervisedTunnel } from '../../sources/tunnel/supervised-tunnel.ts';
import { createCommandStore } from '../../store/command-store.ts';
import { openDatabase } from '../../store/database.ts';
import { createSystemChance, createSystemClock } from '../../system/clock.ts';
import { signCommand } from '../../trust/ceremony/command.ts';
import { createCommandVerifier } from '../../trust/command-verifier.ts';
import { AGENT, rootWithTrigger, runCommand } from '../trust/signed-commands.ts';
import { EMPTY, NOW } from '../trust/signed-files.ts';
import { recordingLog } from './recording-log.ts';

const keys = await rootWithTrigger();

/** An agent's tunnel client, with a real inbox on a real database behind it. Nothing waits long: the backoff is a twentieth. */
export function openTunnelRig(tunnel: Omit<TunnelClient, 'token_file'>, token: string) {
  const root = mkdtempSync(join(tmpdir(), 'tunnel-client-'));
  const folder = join(root, 'tunnel');
  const tokenFile = join(root, 'token');
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const database = openDatabase(join(root, 'agent.db'));
  const commands = createCommandStore(database);
  const clock = { ...createSystemClock(), now: () => NOW };
  const verifier = createCommandVerifier({ pinnedRoot: keys.text, tenant: 'acme' });
  const events: EventDraft[] = [];
  const log = recordingLog();
  const states: string[] = [];
  const never = () => Promise.reject(new Error('not in this test'));
  const inbox = createCommandInbox({
    verifier: () => verifier,
    trustMemory: async () => EMPTY,
    store: commands,
    actions: {
      run: () => ({ ok: true, message: 'queued' }),
      cancel: never,
      suspend: never,
      resume: never,
      rollback: never,
    },
    transaction: database.transaction,
    tenant: 'acme',
    agentId: () => AGENT,
    stateSince: new Date(0),
    events: { emit: (draft) => events.push(draft) },
    clock,
    onFault: (error) => log.error('fault', { error }),
  });
  const marked = async (mark: string) =>
    (await listProcesses(mark)).filter((entry) => entry.marked && !entry.zombie);
  const made: Tunnel = createSupervisedTunnel(
    {
      inbox,
      events: { emit: (draft) => events.push(draft) },
      log,
      clock,
      chance: { ...createSystemChance(), uniform: () => 0.05 },
      marked,
      stateChanged: () => states.push(made.state().state),
    },
    { tunnel: { ...tunnel, token_file: tokenFile }, folder, proxy: null },
  );
  let stopping = new AbortController();
  let running: Promise<void> | null = null;
  return {
    root,
    folder,
    tokenFile,
    tunnel: made,
    states,
    events,
    log,
    commands,
    sign: (changes: Record<string, unknown> = {}) => signCommand(runCommand(changes), keys.trigger),
    run() {
      stopping = new AbortController();
      running = made.run(stopping.signal);
    },
    /** Process ids of this rig's clients. */
    clients: async () => (await marked(`EDGE_AGENT_TUNNEL=${folder}`)).map(({ pid }) => pid),
    reasons: () => events.map(({ reason }) => reason),
    /** Everything that was said anywhere. */
    said: () => JSON.stringify([events, log.lines, made.state()]),
    configuration: (name: string) => readFileSync(join(folder, name), 'utf8'),
    async stop() {
      stopping.abort();
      await running;
    },
    async close() {
      stopping.abort();
      await running;
      await inbox.close();
      database.close();
      rmSync(root, { recursive: true });
    },
  };
}
export type TunnelRig = ReturnType<typeof openTunnelRig>;
