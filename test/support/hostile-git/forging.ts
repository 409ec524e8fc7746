import type { Tell } from '../hostile-git-server.ts';
import { entryOf, type MadeObject, makePack } from '../pack-maker.ts';
import { advertised, at, type Entry, fetched, forge, LIE_BLOB, together } from './telling.ts';

export interface Forgery {
  readonly tip: string;
  readonly pack: Buffer;
  readonly shallow?: readonly string[];
}

/** The branch is at a commit of our own, and this pack is all there is of it. */
export function forging(make: (previous: string) => Forgery): Tell {
  // A lie is told about one commit at a time, and some packs take a while to make.
  let last: { previous: string; forgery: Forgery } | null = null;
  const tell: Tell = async (exchange) => {
    const { previous } = exchange.commits;
    if (last?.previous !== previous) last = { previous, forgery: make(previous) };
    const { tip, pack, shallow } = last.forgery;
    const packed = at('pack', ({ question, answer }) => answer({ body: fetched(question, pack, shallow) }));
    return together(advertised(tip), packed)(exchange);
  };
  return Object.assign(tell, { steps: ['branch', 'tags', 'pack'] as const });
}

/** A commit of these files, and whatever entries stand beside it in the pack. */
export const files = (
  entries: readonly Entry[],
  more: () => readonly Buffer[] = () => [],
  keep: (object: MadeObject) => boolean = () => true,
) =>
  forging((previous) => {
    const { commit, objects } = forge(entries, previous);
    return { tip: commit.oid, pack: makePack([...objects.filter(keep).map(entryOf), ...more()]) };
  });
/** Nothing but a manifest. */
export const manifest: readonly Entry[] = [['100644', 'manifest.json', LIE_BLOB]];
/** Entries beside those of a good commit. */
export const beside = (...more: readonly (() => Buffer)[]) =>
  files(manifest, () => more.map((make) => make()));

export function commitOf(commit: MadeObject, ...objects: readonly MadeObject[]): Forgery {
  return { tip: commit.oid, pack: makePack([commit, ...objects].map(entryOf)) };
}
