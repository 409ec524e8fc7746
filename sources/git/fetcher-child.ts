import { createHttpClient, type HttpClient } from '../../system/http-client.ts';
import { fetchCommit } from './fetch-commit.ts';
import { chooseTags } from './fetched-tags.ts';
import { type FetchAnswer, type Fetched, FetchQuestion } from './fetcher-messages.ts';
import { GitFault, toGitFault } from './git-fault.ts';
import { idOf, parseCommit } from './git-objects.ts';
import { createMemoryGuard, type MemoryDeps, processMemory } from './memory-guard.ts';
import { type ObjectReader, openObjects } from './object-reader.ts';
import type { CheckedPack } from './pack-check.ts';
import { type Advertisement, listRefs, type RemoteRef, readAdvertisement } from './remote-refs.ts';
import { readRefs } from './repository-refs.ts';
import { createSmartHttp, type SmartHttp } from './smart-http.ts';
import { readSnapshot } from './snapshot.ts';

const MAX_QUESTION_BYTES = 1_048_576;

/**
 * The body of the verb `internal-fetch`: one question on standard input, one answer on standard output (fetcher-messages.ts), exit
 * code 0 for both kinds of answer. Runs with the rights its parent gave it: the network, one folder to write to.
 */
export async function runFetcherProcess(streams: {
  stdin: AsyncIterable<Uint8Array>;
  stdout: NodeJS.WritableStream;
}): Promise<void> {
  let answer: FetchAnswer;
  try {
    const question = FetchQuestion.parse(JSON.parse(await readQuestion(streams.stdin)));
    const { caFile, proxy, userAgent, environment } = question.network;
    const http = createHttpClient({
      userAgent,
      environment,
      ...(caFile === null ? {} : { caFile }),
      ...(proxy === null ? {} : { proxy }),
    });
    try {
      answer = await runFetcher(question, { http, ...processMemory() });
    } finally {
      http.close();
    }
  } catch (error) {
    const { code, message, afterMs } = toGitFault(error);
    answer = { kind: 'fault', code, message, ...(afterMs === undefined ? {} : { afterMs }) };
  }
  await new Promise<void>((resolve) => {
    streams.stdout.write(JSON.stringify(answer), () => resolve());
  });
}

/** Talks to the server, checks what comes and says what is to be kept. Writes to `question.scratch` only. Throws GitFault. */
export async function runFetcher(
  question: FetchQuestion,
  deps: { http: HttpClient } & MemoryDeps,
): Promise<Fetched> {
  const deadline = performance.now() + question.timeoutMs;
  const git = createSmartHttp({
    http: deps.http,
    url: question.url,
    credentials: question.credentials,
    signal: new AbortController().signal,
    remainingMs: () => Math.ceil(deadline - performance.now()),
    now: () => new Date(question.nowMs),
  });
  const pulse = createMemoryGuard(deps, question.budgets.childMemoryBytes);
  const server = await readAdvertisement(git, question.budgets.tagListingBytes);
  const kept = openObjects([question.repository]);
  try {
    const [fetched, remoteTags] = await Promise.all([
      fetchCommit(git, server, question, kept, pulse),
      listTags(git, server, question.budgets.tagListingBytes),
    ]);
    const all = openObjects([question.scratch, question.repository]);
    try {
      const refs = readRefs(question.repository);
      if (readSnapshot(all, question, refs, question.budgets) === null) {
        throw new GitFault('cache_damaged', `expected commit ${question.commit} after the fetch, found none`);
      }
      const warnings: string[] = [];
      const tags =
        remoteTags === null ? null : choose(question, remoteTags, refs, fetched.pack, all, warnings);
      if (remoteTags === null) {
        const cap = question.budgets.tagListingBytes;
        warnings.push(
          `expected a listing of tags of at most ${cap} bytes, found more; tags stay as they were`,
        );
      }
      return {
        kind: 'fetched',
        pack: fetched.pack?.checksum.toString('hex') ?? null,
        objects: fetched.pack?.objects.length ?? 0,
        bytes: fetched.bytes,
        shallow: [...fetched.shallow],
        tags,
        rewritten: isRewritten(question, fetched, all),
        warnings,
      };
    } finally {
      all.close();
    }
  } finally {
    kept.close();
  }
}

async function listTags(git: SmartHttp, server: Advertisement, maxBytes: number) {
  try {
    return await listRefs(git, server, 'refs/tags/', maxBytes);
  } catch (error) {
    const fault = toGitFault(error);
    if (fault.code === 'source_too_large') return null;
    throw fault;
  }
}

function choose(
  question: FetchQuestion,
  remote: ReadonlyMap<string, RemoteRef>,
  refs: ReturnType<typeof readRefs>,
  pack: CheckedPack | null,
  objects: ObjectReader,
  warnings: string[],
) {
  const now = new Date(question.nowMs);
  const { commit, credentials, budgets } = question;
  const here = { commit, refs, pack, objects, maxBytes: budgets.objectBytes, now, credentials };
  const { tags, unusable } = chooseTags(remote, here);
  if (unusable > 0)
    warnings.push(
      `expected names that git allows and that are no secret, found ${unusable} other tags; left out`,
    );
  return tags;
}

/**
 * Whether the kept tip is no ancestor of the commit. Where the history is cut off before that can be told, the server's word
 * counts: this is for the log, and `seq` is what protects.
 */
function isRewritten(
  question: FetchQuestion,
  fetched: { pack: CheckedPack | null; shallow: ReadonlySet<string>; unrelated: boolean },
  objects: ObjectReader,
): boolean {
  if (question.keptTip === null || question.keptTip === question.commit) return false;
  const keptTip = idOf(question.keptTip);
  const seen = new Set<string>();
  const next = [idOf(question.commit)];
  let cutOff = false;
  for (let id = next.pop(); id !== undefined; id = next.pop()) {
    if (id === keptTip) return false;
    if (seen.has(id)) continue;
    seen.add(id);
    const packed = fetched.pack?.commits.get(id);
    const found = packed === undefined ? objects.read(id, question.budgets.objectBytes) : null;
    if (packed !== undefined) next.push(...packed.parents);
    else if (found?.kind === 'commit') next.push(...parseCommit(found.content).parents);
    else cutOff = true;
  }
  return !cutOff || fetched.unrelated;
}

async function readQuestion(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    length += chunk.byteLength;
    if (length > MAX_QUESTION_BYTES)
      throw new Error(`expected a question of ${MAX_QUESTION_BYTES} bytes at most`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
