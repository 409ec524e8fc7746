import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ReconcileAnswer } from '../../../agent/operations.ts';
import { RefusalCode, RetryCode, StallCode } from '../../../schemas/reasons.ts';
import { GIT_BUDGETS } from '../../../sources/git/budgets.ts';
import { until } from '../daemon.ts';
import type { Commits, Lie } from '../hostile-git-server.ts';
import { filesWith, type HostileWorld, type RunningAgent, SECRETS } from '../hostile-world.ts';

/** The fetcher's; the agent itself keeps it as well. */
const MEMORY_CAP_BYTES = GIT_BUDGETS.childMemoryBytes;
/** What a terminal obeys, and what turns the direction of writing. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const SENTENCE = /expected /;
const CODES: Readonly<Record<number, readonly string[]>> = {
  3: RefusalCode.options,
  4: StallCode.options,
  5: RetryCode.options,
};
/** Connections that stay open for the next question (system/http-connections.ts). */
const IDLE_CONNECTIONS = 4;

/**
 * Tells one lie to a running agent. The attempt ends with the expected code and a sentence that can be shown; nobody took more memory
 * than the cap; nothing around the state directory changed unless all was well, so what was active is active; no process, scratch folder
 * or connection is left; only what belongs to this tenant was asked for.
 */
export async function tell(
  world: HostileWorld,
  agent: RunningAgent,
  lie: Lie,
  commits: Commits,
): Promise<ReconcileAnswer> {
  const before = world.neighbourhood();
  const asked = world.server.log.length;
  world.server.lie(lie, commits);
  const { answer, fetcherPeakBytes } = await agent.attempt();
  world.server.lie(null);
  expectEnd(answer, lie);
  expect(fetcherPeakBytes).toBeLessThan(MEMORY_CAP_BYTES);
  expect(agent.peakBytes()).toBeLessThan(MEMORY_CAP_BYTES);
  if (lie.exit !== 0) expect(world.neighbourhood()).toEqual(before);
  expect(existsSync(join(world.cache, '.agent', 'git-scratch'))).toBe(false);
  await until('no connection is left', () => world.server.openConnections() <= IDLE_CONNECTIONS);
  expectOwnRefsAsked(world, asked);
  return answer;
}

/**
 * The same server, honest again: the commit that the next attempt has applied in full. `tries`: where the deadline is so short that a
 * busy machine passes it without any lie.
 */
export async function recover(agent: RunningAgent, tries = 1): Promise<string> {
  let { answer } = await agent.attempt();
  for (let left = tries - 1; left > 0 && answer.problems[0]?.code === 'timeout'; left -= 1) {
    ({ answer } = await agent.attempt());
  }
  expect({ exit: answer.exit_code, problems: answer.problems }).toEqual({ exit: 0, problems: [] });
  return (answer.report.source.last_applied_revision ?? 'nothing').replace('tenant/acme@sha1:', '');
}

/** What the flow prints when it is run while the lie is told. */
export async function tellWhileRunning(
  world: HostileWorld,
  agent: RunningAgent,
  lie: Lie,
  commits: Commits,
): Promise<string> {
  const { signal } = new AbortController();
  world.server.lie(lie, commits);
  const attempt = agent.attempt();
  const input = { flow: 'default', version: null, input: {}, timeout_ms: null };
  const { run_id } = await agent.operations.trigger(input, signal);
  const result = await agent.operations.result({ run_id }, signal);
  expect(result.status).toBe('succeeded');
  await attempt;
  world.server.lie(null);
  return result.stdout;
}

export function expectEnd(answer: ReconcileAnswer, lie: Pick<Lie, 'exit' | 'code' | 'says'>): void {
  const [problem] = answer.problems;
  const found = { exit: answer.exit_code, code: problem?.code ?? null, said: problem?.message };
  expect(found).toMatchObject({ exit: lie.exit, code: lie.code });
  if (problem === undefined) return;
  expect(CODES[lie.exit]).toContain(problem.code);
  expect(problem.message).toMatch(lie.says ?? SENTENCE);
  expect(isReadable(problem.message)).toBe(true);
}

/** What was expected and what was found, on one line that a terminal can be trusted with. */
export function isReadable(message: string): boolean {
  return SENTENCE.test(message) && !CONTROL.test(message) && message.length < 1_100;
}

/** A search of everything that was written, for everything that is secret: where it was found. `logs`: a daemon ran, which keeps one. */
export function secretsIn(world: HostileWorld, said: string, { logs = true } = {}): string[] {
  const inputs = ['credentials', 'agent.yaml'].map((name) => join(world.folder, name));
  // Something was written that could have held one.
  if (logs) expect(readdirSync(join(world.folder, 'log'))).not.toEqual([]);
  else expect(said).not.toBe('');
  expect(existsSync(join(world.cache, '.agent', 'events.jsonl'))).toBe(true);
  const printed = Object.values(SECRETS).some((secret) => said.includes(secret)) ? ['standard output'] : [];
  return [...filesWith(world.folder, Object.values(SECRETS), inputs), ...printed];
}

function expectOwnRefsAsked({ server }: HostileWorld, from: number): void {
  for (const { path, question, headers } of server.log.slice(from)) {
    expect(path).toMatch(/^\/builder\.git\/(?:info\/refs\?service=git-upload-pack|git-upload-pack)$/);
    for (const [, prefix] of question.matchAll(/ref-prefix (\S+)/g)) {
      expect(['refs/heads/tenant/acme', 'refs/tags/']).toContain(prefix);
    }
    expect(question.match(/want /g)?.length ?? 0).toBeLessThanOrEqual(1);
    expect(headers.cookie).toBeUndefined();
  }
}
