import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { GIT_BUDGETS } from '../../../sources/git/budgets.ts';
import { GitFault } from '../../../sources/git/git-fault.ts';
import { idOf, parseCommit, tagTarget, treeEntries } from '../../../sources/git/git-objects.ts';
import { checkPack } from '../../../sources/git/pack-check.ts';
import { applyDelta } from '../../../sources/git/pack-delta.ts';
import { readPackIndex, writePackIndex } from '../../../sources/git/pack-index.ts';
import { createPacketReader } from '../../../sources/git/pkt-line.ts';
import { readAdvertisement } from '../../../sources/git/remote-refs.ts';
import { isRefName, readRefs } from '../../../sources/git/repository-refs.ts';
import type { HttpResponse } from '../../../system/http-client.ts';
import {
  entryOf,
  makeCommit,
  makeObject,
  makePack,
  makeTree,
  packEntry,
  pktLine,
} from '../../support/pack-maker.ts';
import { check, checkSame, expectingOnly, expectingOnlyAsync } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

const MIB = 1_024 * 1_024;
/** Small ones, so that what is over them is found with small inputs. */
const LIMITS = {
  ...GIT_BUDGETS,
  inflatedBytes: 2 * MIB,
  objectBytes: MIB,
  workBytes: 8 * MIB,
  packObjects: 1_000,
  deltaDepth: 50,
};

const blob = makeObject('blob', '{"edge_url":"https://a.example/b.tar.gz"}\n'.repeat(20));
const other = makeObject('blob', 'other\n');
const tree = makeTree([
  ['100644', 'manifest.json', blob.oid],
  ['40000', 'roots', other.oid],
  ['120000', 'é', other.oid],
]);
const commit = makeCommit(tree.oid, ['11'.repeat(20)]);
const tag = makeObject(
  'tag',
  `object ${commit.oid}\ntype commit\ntag v1\ntagger A <a@example.invalid> 1700000000 +0100\n\nv1\n`,
);
/** Copies 40 bytes of the base, inserts 5, copies the rest. */
const delta = Buffer.from([0xb4, 0x06, 0x0f, 0x90, 0x28, 5, 104, 101, 108, 108, 111]);
const objects = [blob, other, tree, commit, tag].map(entryOf);
const first = objects[0] as Buffer;
const offsetDelta = packEntry(6, delta.length, deflateSync(delta), Buffer.from([first.length]));
const refDelta = packEntry(7, delta.length, deflateSync(delta), Buffer.from(blob.oid, 'hex'));
const body = (pack: Buffer) => pack.subarray(0, -20);
const packs = [makePack(objects), makePack([first, offsetDelta]), makePack([first, refDelta]), makePack([])];

const folder = mkdtempSync(join(tmpdir(), 'fuzz-git-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  // Another split for each input, the same for the same one.
  const size = 1 + ((bytes.length * 31 + (bytes[0] ?? 0)) % 97);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const advertisements = [
  [
    '# service=git-upload-pack\n',
    null,
    'version 2\n',
    'agent=git/2.47\n',
    'ls-refs=unborn\n',
    'fetch=shallow wait-for-done\n',
    'object-format=sha1\n',
    null,
  ],
  [
    `${commit.oid} HEAD\0multi_ack shallow agent=git/2.47 object-format=sha1\n`,
    `${commit.oid} refs/heads/tenant/acme\n`,
    `${tag.oid} refs/tags/v1\n`,
    `${commit.oid} refs/tags/v1^{}\n`,
    null,
  ],
  ['ERR access denied\n', null],
].map((lines) => Buffer.concat(lines.map((line) => (line === null ? Buffer.from('0000') : pktLine(line)))));

export const gitTargets: readonly FuzzTarget[] = [
  {
    name: 'pkt-line',
    shape: 'bytes',
    seeds: [...advertisements, '0009done\n00010002', 'fff0'],
    words: ['0000', '0001', '0002', '0003', '0004', 'fff0', 'ffff', 'ERR '],
    repeats: ['0000', '0004', '0005a', '0', 'fff0', 'g'],
    async read(bytes) {
      await expectingOnlyAsync([GitFault], async () => {
        const reader = createPacketReader(inPieces(bytes));
        let total = 0;
        for (let found = await reader.next(); found !== null; found = await reader.next()) {
          total += found.kind === 'data' ? found.bytes.length + 4 : 4;
        }
        checkSame(total, bytes.length, 'bytes read');
      });
    },
  },
  {
    name: 'ref-advertisement',
    shape: 'bytes',
    seeds: advertisements,
    words: [
      '0000',
      'version 2\n',
      'version 1\n',
      'refs/heads/',
      'refs/tags/../x',
      '^{}',
      'shallow ',
      '\0',
      'object-format=sha256',
      commit.oid,
      'ERR ',
    ],
    repeats: ['0000', '0005a', `003d${commit.oid} refs/heads/main\n`, '0004'],
    async read(bytes) {
      const response: HttpResponse = {
        status: 200,
        url: new URL('https://git.example/'),
        headers: { get: () => null },
        body: inPieces(bytes),
        discard: () => undefined,
      } as never;
      const git = {
        base: () => 'https://git.example',
        advertisement: () => Promise.resolve(response),
        post: () => Promise.resolve(response),
      };
      const server = await expectingOnlyAsync([GitFault], () => readAdvertisement(git, MIB));
      for (const { oid } of server?.advertised?.values() ?? [])
        check(/^[0-9a-f]{40}$/.test(oid), `expected an object id, found ${oid}`);
    },
  },
  {
    name: 'pack',
    shape: 'bytes',
    seeds: packs,
    // With a right checksum, else nothing behind it is ever read.
    inside: {
      shape: 'bytes',
      seeds: packs.map(body),
      close: (bytes) => Buffer.concat([bytes, createHash('sha1').update(bytes).digest()]),
    },
    repeats: ['PACK', '\0', '\xff', 'x\x9c'],
    read(bytes) {
      const checked = expectingOnly([GitFault], () => checkPack(bytes, LIMITS, () => undefined));
      if (checked === undefined) return;
      const index = readPackIndex(writePackIndex(checked.objects, checked.checksum), 'index');
      for (const { id, offset } of checked.objects) {
        check(index.offsetOf(id) !== null, 'expected every object in the index');
        check(offset >= 12 && offset < bytes.length, 'expected objects inside the pack');
      }
    },
  },
  {
    name: 'pack-delta',
    shape: 'bytes',
    seeds: [
      delta,
      Buffer.from([0xb4, 0x06, 0x00]),
      Buffer.from([0xb4, 0x06, 0x0a, 0xff, 0, 0, 0, 0, 10, 0, 0]),
    ],
    repeats: ['\x7f', '\x80', '\xff', '\x01a', '\x90\x01'],
    read(bytes) {
      const made = expectingOnly([GitFault], () => applyDelta(blob.content, bytes, MIB));
      check(made === undefined || made.length <= MIB, 'expected no more than is allowed');
    },
  },
  {
    name: 'pack-index',
    shape: 'bytes',
    seeds: [
      writePackIndex(
        [
          { id: idOf(blob.oid), offset: 12, crc: 1 },
          { id: idOf(other.oid), offset: 99, crc: 2 },
        ],
        Buffer.alloc(20),
      ),
    ],
    repeats: ['\xfftOc\0\0\0\x02', '\0', '\xff'],
    read(bytes) {
      expectingOnly([GitFault], () => {
        const index = readPackIndex(bytes, 'index');
        for (const id of [blob.oid, other.oid, '00'.repeat(20), 'ff'.repeat(20)]) index.offsetOf(idOf(id));
        for (let position = 0; position < Math.min(index.count, 100); position += 1) {
          check(
            index.idAt(position).length === 20 && Number.isSafeInteger(index.offsetAt(position)),
            'expected ids and offsets',
          );
        }
      });
    },
  },
  {
    name: 'git-object',
    shape: 'bytes',
    seeds: [
      commit.content,
      tree.content,
      tag.content,
      'tree 0000000000000000000000000000000000000000\nauthor A <a@x> 99999999999999999999 +9999\n\n',
    ],
    words: [
      'tree ',
      'parent ',
      'author ',
      'committer ',
      '\n\n',
      ' <',
      '> ',
      '100644 ',
      '40000 ',
      '\0',
      'object ',
    ],
    repeats: [
      'parent 1111111111111111111111111111111111111111\n',
      'author ',
      'author <\n',
      ' <',
      '\n',
      'tree ',
      '100644 a\0aaaaaaaaaaaaaaaaaaaa',
      ' ',
      '\0',
      '>',
    ],
    read(bytes) {
      expectingOnly([GitFault], () => parseCommit(bytes));
      for (const start of ['', `tree ${tree.oid}\n`, `tree ${tree.oid}\nauthor `]) {
        const read = expectingOnly([GitFault], () => parseCommit(Buffer.concat([Buffer.from(start), bytes])));
        const time = read?.author.time;
        if (time)
          check(!Number.isNaN(time.seconds) && !Number.isNaN(time.zone), 'expected a time of numbers');
      }
      expectingOnly([GitFault], () => tagTarget(bytes));
      expectingOnly([GitFault], () => {
        let size = 0;
        for (const { mode, id } of treeEntries(bytes)) {
          check(id.length === 20 && mode.length <= 7, 'expected entries of a tree');
          size += 1;
        }
        check(size <= bytes.length / 23, 'expected no more entries than there is room for');
      });
    },
  },
  {
    name: 'packed-refs',
    shape: 'text',
    seeds: [
      `# pack-refs with: peeled fully-peeled sorted \n${commit.oid} refs/heads/tenant/acme\n${tag.oid} refs/tags/v1\n^${commit.oid}\n`,
    ],
    words: [commit.oid, ' refs/tags/', '^', '\r', '..', '@{', '.lock'],
    repeats: ['^', '\n', `${commit.oid} refs/tags/v\n`, `${commit.oid} `, '^0\n'],
    read(bytes) {
      writeFileSync(join(folder, 'packed-refs'), bytes);
      for (const [name, { oid }] of readRefs(folder)) {
        check(/^[0-9a-f]{40}$/.test(oid) && name.startsWith('refs/'), 'expected refs with ids');
        const path = join('/repository', name);
        // A name that git takes cannot leave its folder.
        check(
          !isRefName(name) || path === `/repository/${name}`,
          `expected a name inside refs, found ${JSON.stringify(name)}`,
        );
      }
    },
  },
];
