import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRotatingFile } from '../../system/rotating-file.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'rotating-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const open = (options: { maxBytes?: number; maxFiles?: number; mayDrop?: (file: string) => boolean } = {}) =>
  openRotatingFile({
    directory: path.join(directory, 'log'),
    name: 'agent',
    extension: '.log',
    maxBytes: 30,
    maxFiles: 3,
    ...options,
  });
const line = (n: number) => Buffer.from(`line number ${n}\n`);
const texts = (files: string[]) => files.map((file) => fs.readFileSync(file, 'utf8'));

describe('a rotating file', () => {
  test('keeps pieces whole, in order, and begins a new file before the limit', () => {
    const file = open({ maxFiles: 10 });
    for (let n = 1; n <= 5; n += 1) file.append(line(n));
    expect(texts(file.files())).toEqual([
      'line number 1\nline number 2\n',
      'line number 3\nline number 4\n',
      'line number 5\n',
    ]);
    expect(file.files().map((name) => path.basename(name))).toEqual([
      'agent.2.log',
      'agent.1.log',
      'agent.log',
    ]);
    file.close();
  });

  test('removes the oldest beyond the number of files', () => {
    const file = open();
    for (let n = 1; n <= 9; n += 1) file.append(line(n));
    expect(texts(file.files()).join('')).toBe([5, 6, 7, 8, 9].map((n) => String(line(n))).join(''));
    file.close();
  });

  test('keeps a file that may not be dropped yet, and drops it once it may', () => {
    let allowed = false;
    const file = open({ mayDrop: () => allowed });
    for (let n = 1; n <= 12; n += 1) file.append(line(n));
    expect(file.files()).toHaveLength(6);
    allowed = true;
    file.append(line(13));
    expect(file.files()).toHaveLength(3);
    file.close();
  });

  test('goes on after the last byte of an earlier process', () => {
    const first = open();
    first.append(line(1));
    first.close();
    const second = open();
    second.append(line(2));
    expect(second.size()).toBe(28);
    expect(second.append(line(3))).toEqual({ rotated: true });
    expect(texts(second.files())).toEqual(['line number 1\nline number 2\n', 'line number 3\n']);
    second.close();
  });

  test('orders files rightly when a crash left a gap in their numbers', () => {
    const file = open({ maxFiles: 10 });
    for (let n = 1; n <= 7; n += 1) file.append(line(n));
    file.close();
    const at = (name: string) => path.join(directory, 'log', name);
    fs.renameSync(at('agent.3.log'), at('agent.4.log'));
    const again = open({ maxFiles: 10 });
    for (let n = 8; n <= 9; n += 1) again.append(line(n));
    expect(texts(again.files()).join('')).toBe(
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => String(line(n))).join(''),
    );
    again.close();
  });

  test('takes a piece longer than the limit into a file of its own', () => {
    const file = open();
    file.append(line(1));
    file.append(Buffer.alloc(100, 'x'));
    expect(texts(file.files()).map((text) => text.length)).toEqual([14, 100]);
    file.close();
  });

  test.skipIf(process.platform === 'win32')('is readable by its owner only, whatever it was before', () => {
    fs.mkdirSync(path.join(directory, 'log'), { recursive: true });
    fs.writeFileSync(path.join(directory, 'log', 'agent.log'), '', { mode: 0o644 });
    const file = open();
    for (let n = 1; n <= 3; n += 1) file.append(line(n));
    for (const name of file.files()) expect(fs.statSync(name).mode & 0o777).toBe(0o600);
    file.close();
    fs.rmSync(path.join(directory, 'log'), { recursive: true });
    open().close();
    expect(fs.statSync(path.join(directory, 'log')).mode & 0o777).toBe(0o700);
  });

  test.skipIf(process.platform === 'win32')('does not follow a link that somebody planted', () => {
    fs.mkdirSync(path.join(directory, 'log'));
    fs.writeFileSync(path.join(directory, 'victim'), 'untouched');
    fs.symlinkSync(path.join(directory, 'victim'), path.join(directory, 'log', 'agent.log'));
    expect(() => open()).toThrow(/ELOOP/);
    expect(fs.readFileSync(path.join(directory, 'victim'), 'utf8')).toBe('untouched');
  });
});
