import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addTenant, type RunningConsole, startConsole } from './running-console.ts';
import { newBrowser, PASSWORD } from './signed-in.ts';

const MAIN = fileURLToPath(new URL('../../console/main.ts', import.meta.url));
let running: RunningConsole;
beforeAll(async () => {
  running = await startConsole();
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
const statusWith = async (key: string) =>
  (await fetch(`${running.url}/api/people`, { headers: { 'x-api-key': key } })).status;

describe('the verbs on access', () => {
  it('make keys as large as is said, and void for the running console at once', async () => {
    const [large, small, wrong] = await Promise.all([
      verb('key', 'new'),
      verb('key', 'new', '--role', 'viewer', '--tenant', 'acme', '--expires', '90d', '--label', 'ci'),
      verb('key', 'new', '--tenant', 'nobody'),
    ]);
    expect(large).toMatchObject({ code: 0, stdout: expect.stringMatching(/^eka_[\w-]{43}\n$/) as string });
    expect(large.stderr).toContain('admin of *, until it is revoked');
    expect(small.stderr).toContain('viewer of acme, until 2');
    expect([await statusWith(large.stdout.trim()), await statusWith(small.stdout.trim())]).toEqual([
      200, 403,
    ]);
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    const listed = JSON.parse((await verb('key', 'list', '--output', 'json')).stdout) as {
      id: string;
      label: string;
      state: string;
    }[];
    const ci = listed.find(({ label }) => label === 'ci');
    expect(ci?.state).toBe('active');
    expect((await verb('key', 'revoke', String(ci?.id))).code).toBe(0);
    expect(await statusWith(small.stdout.trim())).toBe(401);
  }, 120_000);

  it('invite a person, once more after a reset, and keep the last admin', async () => {
    const added = await verb('person', 'add', 'Ann', '--role', 'admin', '--tenant', '*', '--output', 'json');
    const codeIn = (text: string) =>
      (JSON.parse(text) as { invitation: { url: string } }).invitation.url.split('#')[1];
    const browser = newBrowser(running.url);
    const accept = async (text: string) =>
      browser.call('POST', '/api/invitations/accept', { code: codeIn(text), password: PASSWORD });
    expect((await accept(added.stdout)).status).toBe(200);
    const removed = await verb('person', 'remove', 'ANN');
    expect([removed.code, removed.stderr]).toEqual([2, expect.stringContaining('found the last one')]);
    const reset = await verb('person', 'reset', 'ann', '--output', 'json');
    expect(await (await browser.call('GET', '/api/session')).json()).toMatchObject({ signed_in: false });
    expect((await accept(reset.stdout)).status).toBe(200);
    const listed = await verb('person', 'list');
    expect(listed.stdout).toMatch(/ann +ann +active .*admin of \*/);
  }, 120_000);
});
