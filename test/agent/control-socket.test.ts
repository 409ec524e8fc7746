import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controlPeer, createControlClient } from '../../agent/control-client.ts';
import { serveControl } from '../../agent/control-server.ts';
import { OperationError } from '../../agent/operation-error.ts';
import type { AgentOperations } from '../../agent/operations.ts';
import { socketPath } from '../../agent/paths.ts';

const signal = new AbortController().signal;
const operations = {
  cancel: ({ run_id }: { run_id: string }) => {
    if (run_id === 'unknown')
      throw new OperationError('run_unknown', 'no such run', { exitCode: 2, details: { run_id } });
    if (run_id === 'bug') throw new TypeError('a bug');
    return Promise.resolve({ run_id, state: 'cancelling' });
  },
} as unknown as AgentOperations;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'control-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the control socket', () => {
  it('carries operations, their answers and their errors', async () => {
    const socket = join(folder, 'state', 'agent.sock');
    const server = await serveControl(socket, operations, { verb: 'run', tenant: 'acme' });
    expect(statSync(socket).mode & 0o077).toBe(0);
    expect(await controlPeer(socket, signal)).toEqual({ pid: process.pid, verb: 'run', tenant: 'acme' });
    const client = createControlClient(socket);
    expect(await client.cancel({ run_id: 'a' }, signal)).toEqual({ run_id: 'a', state: 'cancelling' });
    await expect(client.cancel({ run_id: 'unknown' }, signal)).rejects.toMatchObject({
      code: 'run_unknown',
      exitCode: 2,
      details: { run_id: 'unknown' },
    });
    await expect(client.cancel({ run_id: 'bug' }, signal)).rejects.toMatchObject({
      code: 'internal',
      exitCode: 1,
    });
    await expect(client.cancel({ run_id: 'not an id' }, signal)).rejects.toMatchObject({
      code: 'usage',
      exitCode: 2,
    });
    await server.close();
    expect(existsSync(dirname(socket))).toBe(false);
    expect(await controlPeer(socket, signal)).toBeNull();
  });

  it('is the same short path in every environment when the state lies deep', () => {
    const deep = `/${'x'.repeat(150)}/.agent`;
    const before = process.env['XDG_RUNTIME_DIR'];
    process.env['XDG_RUNTIME_DIR'] = '/run/user/1';
    const there = socketPath(deep);
    delete process.env['XDG_RUNTIME_DIR'];
    expect(socketPath(deep)).toBe(there);
    expect(Buffer.byteLength(there)).toBeLessThan(104);
    expect(socketPath(`${deep}2`)).not.toBe(there);
    if (before !== undefined) process.env['XDG_RUNTIME_DIR'] = before;
  });

  it('is neither served nor trusted in a folder that others may write to', async () => {
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const about = { verb: 'run', tenant: 'acme' };
    await expect(serveControl(join(open, 'a.sock'), operations, about)).rejects.toMatchObject({
      code: 'state_unusable',
    });
    await expect(controlPeer(join(open, 'a.sock'), signal)).rejects.toMatchObject({ code: 'state_unusable' });
  });
});
