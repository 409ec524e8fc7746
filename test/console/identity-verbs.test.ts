import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addTenant,
  call,
  enrolAgent,
  type RunningConsole,
  startConsole,
  statusOf,
} from './running-console.ts';

const MAIN = fileURLToPath(new URL('../../console/main.ts', import.meta.url));
let running: RunningConsole;
beforeAll(async () => {
  running = await startConsole({ limits: { processOverlapMs: 0 } });
  await addTenant(running, 'acme');
});
afterAll(async () => running[Symbol.asyncDispose]());

/** A verb of the operator, in a process of its own beside the running console. */
const verb = async (...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const words = [MAIN, ...args, '--data', join(running.directory, 'data')];
    execFile(process.execPath, words, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

describe('the verbs on identities', () => {
  it('name the machines of one identity, and revoke with a reason that the running console gives the agent', async () => {
    const agent = await enrolAgent(running, 'acme');
    const speakers = ['lyon-1', 'lyon-2'].map((host) => ({
      boot: randomUUID(),
      machine: null,
      host,
      os: 'linux',
    }));
    const report = async (turn: number) => {
      // tokens are made to the second
      await new Promise((wake) => setTimeout(wake, 1_050));
      const speaker = speakers[turn % 2];
      return call(
        { ...agent, ...(speaker && { speaker }) },
        'POST',
        `${running.url}/edge/status`,
        statusOf(agent),
      );
    };
    for (let turn = 0; turn < 3; turn += 1) expect((await report(turn)).status).toBe(200);
    const { stdout } = await verb('agents');
    expect(stdout).toMatch(/CONFLICT/);
    expect(stdout).toMatch(
      /Two machines speak as .*\n.*lyon-\d \(linux\) at 127\.0\.0\.1.*\n.*lyon-\d.*\n.*unenroll --local/,
    );

    expect((await verb('revoke', agent.issuer, '--by', 'agent')).code).toBe(2);
    expect((await verb('revoke', agent.issuer, '--by', 'ann', '--why', 'sold')).code).toBe(0);
    const refused = await report(0);
    expect([refused.status, await refused.text()]).toEqual([
      403,
      expect.stringContaining('(sold)') as string,
    ]);
    const revoked = (await verb('agents')).stdout;
    expect(revoked).toContain(agent.issuer);
    expect(revoked).not.toMatch(/CONFLICT|unenroll --local/);
    const told = (await verb('audit', '--agent', agent.issuer)).stdout;
    expect(told).toMatch(/lyon-1 .*lyon-2 .*a token of its own$|lyon-2 .*lyon-1 .*a token of its own$/m);
    const again = await verb('revoke', agent.issuer, '--by', 'ben');
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringMatching(/revoked before, at .* by ann/) as string,
    ]);
    const audit = JSON.parse(
      (await verb('audit', '--agent', agent.issuer, '--output', 'json')).stdout,
    ) as object[];
    expect(audit).toMatchObject([
      { action: 'agent_revoked', by: 'ann' },
      { action: 'identity_conflict', by: 'console' },
      { action: 'agent_enrolled', by: 'agent' },
    ]);
    const gone = await verb('rotate-key', agent.issuer);
    expect(gone.code).toBe(2);
  });

  it('list tokens and make them void', async () => {
    await running.console.admin.makeEnrolmentToken({ slug: 'acme' });
    const tokens = async () =>
      JSON.parse((await verb('token', 'list', 'acme', '--output', 'json')).stdout) as {
        token_id: string;
        state: string;
      }[];
    const [newest] = await tokens();
    expect(newest?.state).toBe('open');
    expect((await verb('token', 'revoke', newest?.token_id ?? '')).stdout).toMatch(/is void/);
    expect((await tokens())[0]?.state).toBe('revoked');
    expect((await verb('token', 'revoke', 'none')).code).toBe(2);
    expect(await verb('token', 'list', 'acm')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('expected a tenant, found no "acm"') as string,
    });
  });
});
