import type { Lie } from '../hostile-git-server.ts';
import { entryOf, makeCommit, makeObject, makePack, makeTree } from '../pack-maker.ts';
import { commitOf, files, forging, manifest } from './forging.ts';
import { advertised, forge, LIE_BLOB, together } from './telling.ts';

const MIB = 1_048_576;
const malformed = { exit: 5, code: 'source_malformed' } as const;
const tooLarge = { exit: 5, code: 'source_too_large' } as const;

/** In the objects themselves: what is missing, and what stands where something else should. */
export const OBJECT_LIES: readonly Lie[] = [
  {
    what: 'leaves the commit out',
    ...malformed,
    tell: files(
      manifest,
      () => [],
      ({ kind }) => kind !== 'commit',
    ),
  },
  {
    what: 'leaves a tree out',
    ...malformed,
    tell: files(
      manifest,
      () => [],
      ({ kind }) => kind !== 'tree',
    ),
  },
  {
    what: 'leaves a file out',
    ...malformed,
    tell: files(
      manifest,
      () => [],
      ({ kind }) => kind !== 'blob',
    ),
  },
  {
    what: 'sends another commit than it advertised',
    ...malformed,
    tell: together(advertised('b'.repeat(40)), files(manifest)),
  },
  {
    what: 'advertises a file as the commit',
    ...malformed,
    tell: forging(() => ({ tip: LIE_BLOB.oid, pack: makePack([entryOf(LIE_BLOB)]) })),
  },
  {
    what: 'sends a commit whose tree is a file',
    ...malformed,
    tell: forging((previous) => commitOf(makeCommit(LIE_BLOB.oid, [previous]), LIE_BLOB)),
  },
  {
    what: 'sends a commit that is none',
    ...malformed,
    tell: forging(() => commitOf(makeObject('commit', 'tree ../../etc\nparent x\n\n'))),
  },
  {
    what: 'sends a tree that breaks off',
    ...malformed,
    tell: forging((previous) => {
      const tree = makeObject('tree', '100644 manifest.json\0short');
      return commitOf(makeCommit(tree.oid, [previous]), tree);
    }),
  },
  {
    what: 'sends a commit without its parent and does not say so',
    ...malformed,
    tell: forging(() => {
      const { commit, objects } = forge(manifest, 'e'.repeat(40));
      return { tip: commit.oid, pack: makePack(objects.map(entryOf)) };
    }),
  },
  {
    what: 'sends a manifest twice in one tree',
    ...malformed,
    tell: files([...manifest, ['100644', 'manifest.json', makeObject('blob', 'other')]]),
  },
  {
    what: 'puts a link at manifest.json',
    ...malformed,
    says: /symbolic link/,
    tell: files([['120000', 'manifest.json', makeObject('blob', '/etc/passwd')]]),
  },
  {
    what: 'puts a folder at manifest.json',
    ...malformed,
    says: /folder/,
    tell: files([['40000', 'manifest.json', makeTree([])]]),
  },
  {
    what: 'puts a submodule at manifest.json',
    ...malformed,
    says: /submodule/,
    tell: files([['160000', 'manifest.json', LIE_BLOB]]),
  },
  {
    what: 'puts a file of a mode that is none at manifest.json',
    ...malformed,
    says: /mode/,
    tell: files([['107777', 'manifest.json', LIE_BLOB]]),
  },
  {
    what: 'puts a link at roots',
    ...malformed,
    says: /symbolic link/,
    tell: files([...manifest, ['120000', 'roots', makeObject('blob', '../../..')]]),
  },
  {
    what: 'sends a manifest of 9 MiB',
    ...tooLarge,
    says: /manifest\.json/,
    tell: forging((previous) => {
      const { commit, objects } = forge(
        [['100644', 'manifest.json', makeObject('blob', Buffer.alloc(9 * MIB, ' '))]],
        previous,
      );
      return commitOf(commit, ...objects.slice(1));
    }),
  },
  {
    what: 'sends 1,100 roots',
    ...tooLarge,
    says: /root documents/,
    tell: forging((previous) => {
      const names = Array.from(
        { length: 1_100 },
        (_, n) => ['100644', `${n + 1}.root.jws.json`, LIE_BLOB.oid] as const,
      );
      const roots = makeTree(names);
      const tree = makeTree([
        ['100644', 'manifest.json', LIE_BLOB.oid],
        ['40000', 'roots', roots.oid],
      ]);
      return commitOf(makeCommit(tree.oid, [previous]), tree, roots, LIE_BLOB);
    }),
  },
];
