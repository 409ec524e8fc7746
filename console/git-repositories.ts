import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitInfo } from '../schemas/status.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { runGit } from './git-command.ts';

const REFS_MAX_BYTES = 64 * 1024 * 1024;
/** As agents cut them. */
const SUBJECT_CHARACTERS = 512;
const AUTHOR_CHARACTERS = 256;

export interface BranchFile {
  /** Object id of the blob: names the content, so it is a strong ETag. */
  readonly oid: string;
  readonly content: Buffer;
}

export interface GitRepositories {
  readonly root: string;
  directory(slug: string): string;
  /** Makes `<slug>.git` with HEAD on its (unborn) branch; leaves one that is there as it is but for its configuration. */
  create(slug: string, signal: AbortSignal): Promise<void>;
  /** Commit at the tip of the tenant branch, or null while nothing has been pushed. */
  tip(slug: string, signal: AbortSignal): Promise<string | null>;
  /** `<oid> <ref>` lines of the branch and the tags: equal before and after a push that changed nothing. */
  refs(slug: string, signal: AbortSignal): Promise<string>;
  /** A file of the tip commit, or of `commit`; null when there is no branch, no such commit or no such file. */
  file(
    slug: string,
    path: string,
    maxBytes: number,
    signal: AbortSignal,
    commit?: string,
  ): Promise<BranchFile | null>;
  /** What a commit says of itself, in the words of agents, and the tags that point at it; null when there is no such one. */
  commit(
    slug: string,
    commit: string,
    signal: AbortSignal,
  ): Promise<{ readonly info: CommitInfo; readonly tags: readonly string[] } | null>;
}

/** One line without control characters: it is shown in terminals and on pages. */
function printable(text: string, max: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return Array.from(line).slice(0, max).join('');
}

/** Beyond the year 9999 a commit says no date: who pushed it may have written anything there. */
function timeOf(ms: number): string {
  return new Date(ms <= 253_402_300_799_000 ? ms : 0).toISOString().replace('.000Z', 'Z');
}

function branchOf(slug: string): string {
  return `refs/heads/tenant/${slug}`;
}

/** Bare repositories, one a tenant, in `root`. */
export function createGitRepositories(root: string): GitRepositories {
  const directory = (slug: string) => join(root, `${slug}.git`);
  const git = async (
    slug: string,
    args: readonly string[],
    signal: AbortSignal,
    input = '',
    maxBytes = 65_536,
  ) => runGit([`--git-dir=${directory(slug)}`, ...args], { signal, input, maxBytes });

  return {
    root,
    directory,
    async create(slug, signal) {
      if (!existsSync(directory(slug))) {
        await mkdir(root, { recursive: true, mode: 0o700 });
        const draft = join(root, `.new-${slug}-${process.pid}`);
        await rm(draft, { recursive: true, force: true });
        const args = ['init', '--quiet', '--bare', '--template=', '--object-format=sha1', draft];
        const made = await runGit(args, { signal, maxBytes: 65_536 });
        if (made.code !== 0) throw new Error(`git init failed (${made.code}): ${made.stderr}`);
        await writeFile(join(draft, 'HEAD'), `ref: ${branchOf(slug)}\n`);
        await rename(draft, directory(slug));
      }
      await writeFileAtomically(join(directory(slug), 'config'), configuration(slug));
    },
    async tip(slug, signal) {
      const found = await git(
        slug,
        ['rev-parse', '--verify', '--quiet', `${branchOf(slug)}^{commit}`],
        signal,
      );
      return found.code === 0 ? found.stdout.toString('ascii').trim() : null;
    },
    async refs(slug, signal) {
      const args = ['for-each-ref', '--format=%(objectname) %(refname)', branchOf(slug), 'refs/tags'];
      return (await git(slug, args, signal, '', REFS_MAX_BYTES)).stdout.toString('utf8');
    },
    async file(slug, path, maxBytes, signal, commit = branchOf(slug)) {
      // One process for the lookup and the content, so both are of one commit even while a push comes in.
      const input = `${commit}:${path}\n`;
      const answer = await git(slug, ['cat-file', '--batch'], signal, input, maxBytes + 256);
      const end = answer.stdout.indexOf('\n');
      const [oid, type, size] = answer.stdout.subarray(0, Math.max(0, end)).toString('utf8').split(' ');
      if (answer.code !== 0 || oid === undefined || type !== 'blob') return null;
      return { oid, content: answer.stdout.subarray(end + 1, end + 1 + Number(size)) };
    },
    async commit(slug, commit, signal) {
      const args = ['show', '--no-patch', '--format=%ct%x00%an%x00%s', `${commit}^{commit}`];
      const found = await git(slug, args, signal);
      const [seconds, author, subject] = found.stdout.toString('utf8').trimEnd().split('\0');
      if (found.code !== 0 || author === undefined || subject === undefined) return null;
      const pointing = ['for-each-ref', `--points-at=${commit}`, '--format=%(refname:strip=2)', 'refs/tags'];
      const tags = (await git(slug, pointing, signal, '', REFS_MAX_BYTES)).stdout.toString('utf8');
      return {
        info: {
          subject: printable(subject, SUBJECT_CHARACTERS),
          author: printable(author, AUTHOR_CHARACTERS),
          time: timeOf(Number(seconds) * 1_000),
        },
        tags: tags.split('\n').filter((tag) => tag !== ''),
      };
    },
  };
}

/**
 * `transfer.hideRefs` holds for fetches and pushes alike: only the tenant branch and tags can be seen or written. A pattern
 * matches whole path segments, the last match counts. Objects are checked before a push is taken. No gc by itself: it would
 * go on in the background after the request.
 */
function configuration(slug: string): string {
  return `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = true
[transfer]
	hideRefs = refs
	hideRefs = !${branchOf(slug)}
	hideRefs = !refs/tags
	fsckObjects = true
[http]
	getanyfile = false
[receive]
	denyDeleteCurrent = refuse
	autogc = false
[gc]
	auto = 0
`;
}
