import type { Exchange, Step, Tell } from '../hostile-git-server.ts';
import { type MadeObject, makeCommit, makeObject, makeTree, pktLine } from '../pack-maker.ts';

/** Lies at these steps; the rest is honest. */
export function at(steps: Step | readonly Step[], tell: (exchange: Exchange) => void | Promise<void>): Tell {
  const list = typeof steps === 'string' ? [steps] : steps;
  const told = async (exchange: Exchange) => {
    if (!list.includes(exchange.step)) return false;
    await tell(exchange);
    return true;
  };
  return Object.assign(told, { steps: list });
}

/** The first of several that has something to say. */
export function together(...tells: readonly Tell[]): Tell {
  return async (exchange) => {
    for (const tell of tells) if (await tell(exchange)) return true;
    return false;
  };
}

export const FLUSH = Buffer.from('0000');

/** A listing of refs: `<id> <name>` a line. */
export function refLines(...lines: readonly string[]): Buffer {
  return Buffer.concat([...lines.map((line) => pktLine(`${line}\n`)), FLUSH]);
}

export const BRANCH = 'refs/heads/tenant/acme';

/** The branch is at a commit that git knows nothing of; there are no tags. */
export function advertised(commit: string): Tell {
  return together(
    at('branch', (exchange) => exchange.answer({ body: refLines(`${commit} ${BRANCH}`) })),
    at('tags', (exchange) => exchange.answer({ body: FLUSH })),
  );
}

/** An answer to `fetch` around a pack, as if what the agent has led to it. */
export function fetched(question: string, pack: Uint8Array, shallow: readonly string[] = []): Buffer {
  return Buffer.concat([preamble(question, shallow), sideBand(pack), FLUSH]);
}

/** Up to and with the line `packfile`. */
export function preamble(question: string, shallow: readonly string[] = []): Buffer {
  const have = /have ([0-9a-f]{40})/.exec(question)?.[1];
  const parts: Buffer[] = [];
  if (have !== undefined)
    parts.push(pktLine('acknowledgments\n'), pktLine(`ACK ${have}\n`), pktLine('ready\n'), DELIMITER);
  if (shallow.length > 0)
    parts.push(pktLine('shallow-info\n'), ...shallow.map((oid) => pktLine(`shallow ${oid}`)), DELIMITER);
  return Buffer.concat([...parts, pktLine('packfile\n')]);
}

const DELIMITER = Buffer.from('0001');

/** Band 1, cut into packets. */
export function sideBand(pack: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < pack.length; at += 65_000)
    parts.push(pktLine(Buffer.concat([Buffer.from([1]), pack.subarray(at, at + 65_000)])));
  return Buffer.concat(parts);
}

/** The pack in an honest answer to `fetch`. */
export function packIn(answer: Buffer): Buffer {
  const bands: Buffer[] = [];
  let inPack = false;
  for (let at = 0; at + 4 <= answer.length; ) {
    const length = Number.parseInt(answer.toString('latin1', at, at + 4), 16);
    const bytes = answer.subarray(at + 4, at + Math.max(4, length));
    if (bytes.toString('latin1') === 'packfile\n') inPack = true;
    else if (inPack && bytes[0] === 1) bands.push(bytes.subarray(1));
    at += Math.max(4, length);
  }
  return Buffer.concat(bands);
}

export type Entry = readonly [mode: string, name: string, object: MadeObject];

/** A commit of these files on top of what the agent has, with all that it needs. */
export function forge(entries: readonly Entry[], parent: string) {
  const tree = makeTree(entries.map(([mode, name, { oid }]) => [mode, name, oid] as const));
  const commit = makeCommit(tree.oid, [parent]);
  const found = new Map([commit, tree, ...entries.map(([, , object]) => object)].map((o) => [o.oid, o]));
  return { commit, tree, objects: [...found.values()] };
}

export const LIE_BLOB = makeObject('blob', '{"manifest":"of nobody"}');
