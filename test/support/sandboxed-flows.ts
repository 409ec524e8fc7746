import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, chooseAccount } from '../../executors/account.ts';
import { createFlowSandbox, type FlowSandbox } from '../../executors/flow-sandbox.ts';

/** Who flows run as in tests of the sandbox: root cannot be held by one. */
export const SANDBOX_SETTINGS =
  process.getuid?.() === 0 ? { allowRoot: false, user: 'nobody' } : { allowRoot: false, user: null };

/** A sandbox as an agent would make it whose whole state lies in `folder`. */
export function sandboxIn(folder: string): FlowSandbox {
  const state = join(folder, '.agent');
  return createFlowSandbox(process.env, () => ({
    cache: folder,
    slug: 'acme',
    state,
    credentials: join(folder, 'credentials'),
    config: join(folder, 'agent.yaml'),
    secretFiles: [join(folder, 'tunnel-token')],
    socket: join(state, 'agent.sock'),
  }));
}

/** Why flows cannot be sandboxed on this machine, said among the skipped parts; null when they can. */
export async function sandboxMissing(): Promise<string | null> {
  const choice = await chooseAccount(SANDBOX_SETTINGS);
  if (choice.kind === 'refused') return note(choice.reason);
  const account: Account | null = choice.account;
  const found = await sandboxIn('/nonexistent').find(account);
  return found.kind === 'works' ? null : note(found.found);
}

function note(why: string): string {
  const notes = process.env['EDGE_AGENT_SKIPPED_PARTS'];
  if (notes !== undefined) appendFileSync(notes, `bubblewrap (${why})\n`);
  return why;
}
