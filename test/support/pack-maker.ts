import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';

export type Kind = 'commit' | 'tree' | 'blob' | 'tag';
const NUMBERS = { commit: 1, tree: 2, blob: 3, tag: 4 } as const;

export interface MadeObject {
  readonly kind: Kind;
  readonly content: Buffer;
  readonly oid: string;
}

export function makeObject(kind: Kind, content: string | Buffer): MadeObject {
  const bytes = Buffer.from(content as string);
  const oid = createHash('sha1').update(`${kind} ${bytes.length}\0`).update(bytes).digest('hex');
  return { kind, content: bytes, oid };
}

export function makeTree(
  entries: readonly (readonly [mode: string, name: string, oid: string])[],
): MadeObject {
  const parts = entries.flatMap(([mode, name, oid]) => [
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(oid, 'hex'),
  ]);
  return makeObject('tree', Buffer.concat(parts));
}

export function makeCommit(tree: string, parents: readonly string[] = []): MadeObject {
  const who = 'Mallory <mallory@example.invalid> 1700000000 +0000';
  const lines = [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${who}`,
    `committer ${who}`,
  ];
  return makeObject('commit', `${lines.join('\n')}\n\nLie\n`);
}

/** The bytes of one entry, with whatever size it is to claim. */
export function packEntry(
  type: number,
  claimedSize: number,
  data: Uint8Array,
  prefix: Uint8Array = Buffer.alloc(0),
): Buffer {
  const header: number[] = [];
  let rest = Math.floor(claimedSize / 16);
  let byte = (type << 4) | (claimedSize % 16);
  while (rest > 0) {
    header.push(byte | 128);
    byte = rest % 128;
    rest = Math.floor(rest / 128);
  }
  return Buffer.concat([Buffer.from([...header, byte]), prefix, data]);
}

export function entryOf(object: MadeObject): Buffer {
  return packEntry(NUMBERS[object.kind], object.content.length, deflateSync(object.content));
}

/** A pack of ready entries with a right checksum; `count` is what it claims. */
export function makePack(entries: readonly Buffer[], count = entries.length): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  header.writeUInt32BE(count, 8);
  const body = Buffer.concat([header, ...entries]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

export function pktLine(data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data as string);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

/** A protocol 2 answer to `fetch` that carries the pack. */
export function fetchAnswer(pack: Buffer, shallow: readonly string[] = []): Buffer {
  const parts: Buffer[] = [];
  if (shallow.length > 0) {
    parts.push(
      pktLine('shallow-info\n'),
      ...shallow.map((oid) => pktLine(`shallow ${oid}`)),
      Buffer.from('0001'),
    );
  }
  parts.push(pktLine('packfile\n'));
  for (let at = 0; at < pack.length; at += 65_000) {
    parts.push(pktLine(Buffer.concat([Buffer.from([1]), pack.subarray(at, at + 65_000)])));
  }
  return Buffer.concat([...parts, Buffer.from('0000')]);
}
