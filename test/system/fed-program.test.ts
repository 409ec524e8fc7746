import { describe, expect, it } from 'vitest';
import { runFed } from '../../system/fed-program.ts';

const node = (script: string, options: { input?: string; timeoutMs?: number; maxBytes?: number } = {}) =>
  runFed(process.execPath, ['-e', script], { input: '', timeoutMs: 60_000, maxBytes: 65_536, ...options });

describe('a program that is fed on its standard input', () => {
  it('is given all of it, and both of what it says come back with how it ended', async () => {
    const script = `process.stdin.setEncoding('utf8').on('data', (text) => process.stdout.write(text.toUpperCase()))
      .on('end', () => { console.error('done'); process.exitCode = 3; });`;
    const { stdout, ...rest } = await node(script, { input: 'secret' });
    expect(stdout.toString()).toBe('SECRET');
    expect(rest).toEqual({ exitCode: 3, stderr: 'done', found: null });
  });

  it('need not read what it is given', async () => {
    const { exitCode } = await node('process.exit(0)', { input: 'x'.repeat(1_000_000) });
    expect(exitCode).toBe(0);
  });

  it('that is not there, or says too much, is told and no error', async () => {
    const none = await runFed('/none/such', [], { input: '', timeoutMs: 60_000, maxBytes: 1 });
    expect(none).toMatchObject({ exitCode: null, found: 'ENOENT' });
    const endless = await node('setInterval(() => process.stdout.write("x".repeat(4096)), 1)');
    expect(endless).toMatchObject({ exitCode: null, found: 'more than 65536 bytes' });
  });

  it.runIf(process.platform !== 'win32')(
    'is left behind at its deadline, also by one of its own that holds its output open',
    async () => {
      const script = `const child = require('node:child_process').spawn('sleep', ['120'], { stdio: 'inherit', detached: true });
        process.stdout.write(String(child.pid)); setInterval(() => {}, 1000);`;
      const { stdout, ...rest } = await node(script, { timeoutMs: 5_000 });
      try {
        expect(rest).toMatchObject({ exitCode: null, found: 'no end within 5000 ms' });
      } finally {
        const pid = Number(stdout.toString());
        if (pid > 0) process.kill(pid, 'SIGKILL');
      }
    },
    60_000,
  );
});
