import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { mutate } from './mutation.ts';
import { createRandom, type Random } from './random.ts';
import type { FuzzTarget, Seeds } from './target.ts';

const CORPUS = join(import.meta.dirname, 'corpus');
const MAX_BYTES = 32 * 1_024;
/** CPU time of one input. What is slower is tried again before it is believed. */
const SLOW_MS = 1_500;
/** Memory that one input may take: what a parser needs at all, and in proportion to the input. */
const FREE_BYTES = 64 * 1_024 * 1_024;
const BYTES_A_BYTE = 1_000;
/** Time between two looks at the event loop and the clock. */
const BATCH = 32;

export interface Finding {
  readonly target: string;
  readonly input: Buffer;
  readonly error: unknown;
}

/** The kept inputs of a target: small seeds of our own, and what once broke it, under a name that says how. */
export function corpusOf(target: FuzzTarget): { name: string; bytes: Buffer }[] {
  const folder = join(CORPUS, target.name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** Parses one input under the promises that hold for all: of the target, of time, of memory. Null when they hold. */
export async function tryInput(target: FuzzTarget, input: Buffer): Promise<Finding | null> {
  const heap = memory();
  const started = process.cpuUsage();
  try {
    await target.read(input);
  } catch (error) {
    return { target: target.name, input, error };
  }
  const more = memory() - heap;
  if (more > FREE_BYTES + BYTES_A_BYTE * input.length) {
    return {
      target: target.name,
      input,
      error: new Error(`took ${more} bytes of memory for ${input.length}`),
    };
  }
  if (since(started) < SLOW_MS) return null;
  const again = process.cpuUsage();
  await target.read(input);
  const ms = since(again);
  if (ms < SLOW_MS) return null;
  return {
    target: target.name,
    input,
    error: new Error(`took ${Math.round(ms)} ms for ${input.length} bytes`),
  };
}

/** The corpus, then what repeats, then inputs made of the seeds until `until`. The first finding ends it. */
export async function runTarget(
  target: FuzzTarget,
  options: {
    readonly seed: number;
    readonly until: () => boolean;
    readonly onProgress?: (inputs: number) => void;
  },
): Promise<{ readonly inputs: number; readonly finding: Finding | null }> {
  const random = createRandom(options.seed ^ hashOf(target.name));
  const kept = corpusOf(target).map(({ bytes }) => bytes);
  let inputs = 0;
  const attempt = async (input: Buffer) => {
    inputs += 1;
    return await tryInput(target, input);
  };
  const own = target.seeds.map((seed) => Buffer.from(seed as string));
  const closed = (target.inside?.seeds ?? []).map((seed) =>
    target.inside?.close(Buffer.from(seed as string)),
  );
  for (const input of [...kept, ...own, ...closed.map((bytes) => Buffer.from(bytes as Uint8Array))]) {
    const finding = await attempt(input);
    if (finding !== null) return { inputs, finding };
  }
  const units = [...target.repeats];
  while (!options.until()) {
    // One after the other, in between: they take as long as a thousand inputs of the usual size.
    const [unit] = units.splice(random.int(units.length), 1);
    const growth = unit === undefined ? null : await growthOf(target, unit);
    if (growth !== null) return { inputs, finding: growth };
    for (let count = 0; count < BATCH; count += 1) {
      const finding = await attempt(newInput(random, target, [...own, ...kept]));
      if (finding !== null) return { inputs, finding };
    }
    options.onProgress?.(inputs);
  }
  return { inputs, finding: null };
}

function newInput(random: Random, target: FuzzTarget, pool: readonly Buffer[]): Buffer {
  const maxBytes = target.maxBytes ?? MAX_BYTES;
  const from = (about: Seeds, seeds: readonly Buffer[]) =>
    mutate(random, random.pick(seeds), random.pick(seeds), about, maxBytes);
  const { inside } = target;
  if (inside !== undefined && random.chance(0.6)) {
    const changed = from(
      inside,
      inside.seeds.map((seed) => Buffer.from(seed as string)),
    );
    return Buffer.from(inside.close(changed));
  }
  return from(target, pool);
}

/** Time may grow as the input does: four times the input in at most ten times the time. Quadratic work takes sixteen. */
async function growthOf(target: FuzzTarget, unit: string): Promise<Finding | null> {
  const large = Buffer.alloc(Math.min(MAX_BYTES, target.maxBytes ?? MAX_BYTES), unit, 'latin1');
  const small = large.subarray(0, large.length / 4);
  const first = await tryInput(target, large);
  if (first !== null) return first;
  // Three times over: a machine that others use too is slow for moments.
  let slowest = '';
  for (let round = 0; round < 3; round += 1) {
    const after = await best(target, large);
    // Too short to be measured.
    if (after < 30) return null;
    const before = await best(target, small);
    if (after <= 10 * before) return null;
    slowest = `took ${after.toFixed(0)} ms for ${large.length} bytes and ${before.toFixed(1)} ms for ${small.length}`;
  }
  return { target: target.name, input: large, error: new Error(slowest) };
}

async function best(target: FuzzTarget, input: Buffer): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 3; count += 1) {
    const started = process.cpuUsage();
    await target.read(input);
    least = Math.min(least, since(started));
  }
  return least;
}

function since(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1_000;
}

function memory(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

function hashOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE(0);
}
