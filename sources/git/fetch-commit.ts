import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { FetchQuestion } from './fetcher-messages.ts';
import { GitFault, malformed, toGitFault } from './git-fault.ts';
import { hexOf, idOf, parseCommit } from './git-objects.ts';
import type { ObjectReader } from './object-reader.ts';
import { type CheckedPack, checkPack } from './pack-check.ts';
import { writePackIndex } from './pack-index.ts';
import type { Advertisement } from './remote-refs.ts';
import { readShallow } from './repository-refs.ts';
import { ServerComplaint } from './server-complaint.ts';
import type { SmartHttp } from './smart-http.ts';
import { type PackRequest, requestPack } from './upload-pack.ts';

export interface FetchedCommit {
  /** Null when the commit was in the kept repository. */
  readonly pack: CheckedPack | null;
  readonly bytes: number;
  readonly shallow: ReadonlySet<string>;
  /** The server could not lead from what is kept to the commit. */
  readonly unrelated: boolean;
}

const HAVES = 32;

/**
 * Brings the commit into `<scratch>/objects/pack`, checked: what leads from the kept tip to it; else the history `since`; else, as
 * that is empty or over a budget, the commit alone. Every object of the pack is whole, so everything that the commit reaches
 * within the border of its shallow history is here.
 */
export async function fetchCommit(
  git: SmartHttp,
  server: Advertisement,
  question: FetchQuestion,
  kept: ObjectReader,
  pulse: (bytes: number) => void,
): Promise<FetchedCommit> {
  const keptShallow = [...readShallow(question.repository)].filter((oid) => kept.has(idOf(oid)));
  const commit = idOf(question.commit);
  if (kept.has(commit)) {
    return { pack: null, bytes: 0, shallow: new Set(keptShallow), unrelated: false };
  }
  let unrelated = false;
  let last: GitFault = malformed(
    `expected a pack with the advertised commit ${question.commit}, found one without`,
  );
  for (const request of requests(question, kept, keptShallow)) {
    try {
      const answer = await receive(git, server, request, question);
      if (answer.kind === 'unrelated') {
        unrelated = true;
        continue;
      }
      const packFile = readFileSync(incoming(question.scratch));
      const pack = checkPack(packFile, question.budgets, pulse);
      if (!pack.commits.has(commit)) {
        const id = question.commit;
        last = malformed(
          `expected a pack with the advertised commit ${id}, found one without; will ask again`,
        );
        continue;
      }
      const shallow = border(pack, kept, new Set(answer.shallow), keptShallow, question.budgets.objectBytes);
      store(question.scratch, pack);
      return { pack, bytes: answer.bytes, shallow, unrelated };
    } catch (error) {
      last = toGitFault(error);
      // A pack that does not check out is a lie; an answer that breaks off may be how the server says "nothing so new".
      if (!isWorthAsking(last)) throw last;
    }
  }
  throw last;
}

function requests(question: FetchQuestion, kept: ObjectReader, shallow: readonly string[]): PackRequest[] {
  const want = question.commit;
  const haves = ancestry(question.keptTip, kept, question.budgets.objectBytes);
  const fresh = { want, haves: [], shallow: [] };
  return [
    ...(haves.length === 0 ? [] : [{ want, haves, shallow, deepen: null }]),
    { ...fresh, deepen: { since: Math.floor(question.sinceMs / 1_000) } },
    { ...fresh, deepen: { depth: 1 } },
  ];
}

/** The kept tip and what came before it, so that an amended commit is still found to grow from something here. */
function ancestry(tip: string | null, kept: ObjectReader, maxBytes: number): string[] {
  const haves: string[] = [];
  let next = tip === null ? undefined : idOf(tip);
  while (next !== undefined && haves.length < HAVES) {
    const found = kept.read(next, maxBytes);
    if (found === null || found.kind !== 'commit') break;
    haves.push(hexOf(next));
    [next] = parseCommit(found.content).parents;
  }
  return haves;
}

async function receive(git: SmartHttp, server: Advertisement, request: PackRequest, question: FetchQuestion) {
  mkdirSync(join(question.scratch, 'objects', 'pack'), { recursive: true });
  const file = openSync(incoming(question.scratch), 'w', 0o600);
  try {
    return await requestPack(git, server, request, question.budgets, (bytes) => {
      for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    });
  } catch (error) {
    const fault = toGitFault(error);
    throw fault.code === 'source_malformed' ? new BrokenAnswer(fault) : fault;
  } finally {
    closeSync(file);
  }
}

/** The exchange failed before there was a pack to judge. */
class BrokenAnswer extends GitFault {
  constructor(fault: GitFault) {
    super('source_malformed', fault.message, { cause: fault });
  }
}

function isWorthAsking(fault: GitFault): boolean {
  return (
    fault instanceof BrokenAnswer || fault instanceof ServerComplaint || fault.code === 'source_too_large'
  );
}

/** All commits without parents, after everything that is named has been found. */
function border(
  pack: CheckedPack,
  kept: ObjectReader,
  announced: ReadonlySet<string>,
  keptShallow: readonly string[],
  maxBytes: number,
): Set<string> {
  const here = (id: string) => pack.kinds.has(id) || kept.has(id);
  for (const id of pack.outside) {
    if (!kept.has(id))
      throw malformed(`expected a whole pack, found object ${hexOf(id)} missing; nothing was kept`);
  }
  const shallow = new Set<string>();
  for (const [id, { parents }] of pack.commits) {
    if (parents.every(here)) continue;
    const oid = hexOf(id);
    if (!announced.has(oid)) {
      throw malformed(
        `expected the parents of commit ${oid} in the pack, found them missing; nothing was kept`,
      );
    }
    shallow.add(oid);
  }
  for (const oid of keptShallow) {
    const found = kept.read(idOf(oid), maxBytes);
    if (found?.kind === 'commit' && !parseCommit(found.content).parents.every(here)) shallow.add(oid);
  }
  return shallow;
}

function store(scratch: string, pack: CheckedPack): void {
  const path = join(scratch, 'objects', 'pack', `pack-${pack.checksum.toString('hex')}`);
  writeFileSync(`${path}.idx`, writePackIndex(pack.objects, pack.checksum), { mode: 0o600 });
  renameSync(incoming(scratch), `${path}.pack`);
}

function incoming(scratch: string): string {
  return join(scratch, 'objects', 'pack', 'incoming');
}
