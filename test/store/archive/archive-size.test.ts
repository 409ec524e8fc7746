import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemberTree } from '../../../store/archive/member-tree.ts';
import { createUnpacker, type Unpacker } from '../../../store/archive/unpacker.ts';
import type { Bundle } from '../../support/bundles.ts';
import { CAPS, manyFilesBundle } from '../../support/hostile-archives/caps.ts';
import { spawnUnpacker } from '../../support/spawn-unpacker.ts';

// A guard against hanging on a busy machine; seconds are enough on a quiet one.
vi.setConfig({ testTimeout: 300_000 });

const MILLION = 1_000_000;
const MIB = 1024;
/** Unpacks a million files, where otherwise it only lists them. */
const slow = process.env['EDGE_AGENT_SLOW_TESTS'] !== undefined;

let folder: string;
let unpacker: Unpacker;
let child: ChildProcess | null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'size-'));
  for (const name of ['in', 'out']) mkdirSync(join(folder, name));
  child = null;
  unpacker = createUnpacker({
    spawnChild: (verb, rights) => (child = spawnUnpacker(verb, rights)),
    read: [join(folder, 'in')],
    write: [join(folder, 'out')],
  });
});
afterEach(async () => {
  await unpacker.close();
  rmSync(folder, { recursive: true, force: true });
});

function ask({ bytes, sha256 }: Bundle, caps: { maxBytes: number; maxFiles: number }) {
  const bundle = join(folder, 'in', 'bundle');
  writeFileSync(bundle, bytes);
  const signal = new AbortController().signal;
  const options = { signal, deadlineMs: 1_200_000 };
  return unpacker.unpack(
    { bundle, sha256, into: join(folder, 'out', 'into'), ...caps },
    async () => undefined,
    options,
  );
}

/** The most memory that the child ever had, in KiB; 0 where the system does not say. */
function peak(): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child?.pid}/status`, 'utf8'))?.[1]);
}

describe('the unpacker', () => {
  it('meets every bomb in one process, and never has more than 320 MiB', async () => {
    for (const { rule, bundle, caps } of CAPS) {
      const answer = await ask(bundle(), { maxBytes: 64 * MIB * 1024, maxFiles: 10_000, ...caps });
      expect(answer).toMatchObject({ kind: 'refused', rule });
      expect(readdirSync(join(folder, 'out'))).toEqual([]);
    }
    expect(peak()).toBeLessThan(320 * MIB);
  });

  it('refuses a million files at the default cap, without holding more than the cap allows', async () => {
    const answer = await ask(manyFilesBundle(MILLION), { maxBytes: 2 ** 33, maxFiles: 200_000 });
    expect(answer).toMatchObject({ kind: 'refused', rule: 'member_count' });
    expect(readdirSync(join(folder, 'out'))).toEqual([]);
    expect(peak()).toBeLessThan(320 * MIB);
  });

  it.runIf(slow)(
    'unpacks a million files when the cap is raised, with at most 1 GiB',
    async () => {
      const began = Date.now();
      const answer = await ask(manyFilesBundle(MILLION), { maxBytes: 2 ** 33, maxFiles: MILLION });
      console.log(`a million files: ${Date.now() - began} ms, ${peak()} KiB`);
      expect(answer).toMatchObject({ kind: 'unpacked', files: MILLION });
      expect(peak()).toBeLessThan(1_024 * MIB);
    },
    1_800_000,
  );
});

describe('the tree of the list pass', () => {
  const treeOf = (count: number, name: (index: number) => string) => {
    const tree = createMemberTree({ maxBytes: 1, maxFiles: 2 * MILLION });
    const member = { kind: 'directory' as const, size: 0, executable: false };
    for (let index = 0; index < count; index += 1) tree.add({ ...member, name: name(index) });
    return tree;
  };

  it('takes more folders in one folder than a call takes arguments', () => {
    const tree = treeOf(200_000, (index) => `top/d${index}/`);
    expect(tree.directories()).toHaveLength(200_001);
    expect(tree.sha256()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('grows with the number of members, not with its square', () => {
    const cpuMs = (count: number) => {
      const began = process.cpuUsage();
      const tree = treeOf(count, (index) => `d${index % 100}/e${index}/f/`);
      tree.directories();
      return process.cpuUsage(began).user / 1_000;
    };
    cpuMs(20_000);
    expect(cpuMs(160_000)).toBeLessThan(Math.max(cpuMs(20_000), 10) * 32);
  });

  it('keeps little of names that fold to something long', () => {
    const held = (name: (index: number) => string) => {
      const before = process.memoryUsage().heapUsed;
      const tree = treeOf(20_000, name);
      const after = process.memoryUsage().heapUsed;
      expect(tree.members).toBe(20_000);
      return after - before;
    };
    // One letter of three bytes folds to eighteen: 80 of them to three kilobytes a name.
    expect(held((index) => `${'\ufdfa'.repeat(80)}${index}/`)).toBeLessThan(45 * 1024 * 1024);
  });
});
