import type { Answer, Exchange, Lie, Step } from '../hostile-git-server.ts';

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const STEPS: readonly Step[] = ['capabilities', 'branch', 'tags', 'pack'];

type Mutation = (body: Buffer, pick: (below: number) => number) => Buffer;

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'changes bytes': (body, pick) => {
    const copy = Buffer.from(body);
    for (let count = 1 + pick(4); count > 0; count -= 1) copy[pick(copy.length)] = pick(256);
    return copy;
  },
  'turns one bit': (body, pick) => {
    const copy = Buffer.from(body);
    const at = pick(copy.length);
    copy[at] = (copy[at] as number) ^ (1 << pick(8));
    return copy;
  },
  'cuts off': (body, pick) => body.subarray(0, pick(body.length)),
  'leaves out': (body, pick) => {
    const [from, length] = [pick(body.length), 1 + pick(64)];
    return Buffer.concat([body.subarray(0, from), body.subarray(from + length)]);
  },
  'says twice': (body, pick) => {
    const [from, length] = [pick(body.length), 1 + pick(512)];
    const part = body.subarray(from, from + length);
    return Buffer.concat([body.subarray(0, from + length), part, body.subarray(from + length)]);
  },
  'puts in': (body, pick) => {
    const at = pick(body.length);
    const noise = Buffer.from(Array.from({ length: 1 + pick(32) }, () => pick(256)));
    return Buffer.concat([body.subarray(0, at), noise, body.subarray(at)]);
  },
  'swaps two parts': (body, pick) => {
    const [a, b] = [pick(body.length), pick(body.length)].sort((x, y) => x - y) as [number, number];
    return Buffer.concat([body.subarray(b), body.subarray(a, b), body.subarray(0, a)]);
  },
};

/** An honest answer with something changed at random: what, and at which step, follows from the seed alone. */
export function mutationOf(seed: number): { readonly what: string; readonly tell: NonNullable<Lie['tell']> } {
  const random = seeded(seed);
  const pick = (below: number) => Math.floor(random() * Math.max(1, below));
  const step = STEPS[pick(STEPS.length)] as Step;
  const names = Object.keys(MUTATIONS);
  const name = names[pick(names.length)] as string;
  const closes = pick(4) === 0;
  const tell = async (exchange: Exchange) => {
    if (exchange.step !== step) return false;
    const honest: Answer = await exchange.honest();
    const body = (MUTATIONS[name] as Mutation)(honest.body, pick);
    const headers = { ...honest.headers, ...(closes ? { connection: 'close' } : {}) };
    exchange.answer({ ...honest, headers, body });
    return true;
  };
  return { what: `${name} at ${step}`, tell };
}
