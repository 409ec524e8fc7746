import { SIGNED_DOCUMENT_MAX_BYTES } from '../../schemas/jws.ts';
import type { GitRepositories } from '../git-repositories.ts';
import type { KnownRelease, ReleasedFlow, ReleaseStore } from '../store/ports/releases.ts';
import { readReleased } from './released-flows.ts';

const MANIFEST_MAX_BYTES = 8 * 1024 * 1024;
const OWN_REVISION = /@sha1:([0-9a-f]{40})$/;

/** Releases that lie in the console's own repositories. */
export interface PushedReleases {
  /** The branch is at this commit now: known before any agent tells of it. */
  note(tenant: string, commit: string, signal: AbortSignal): Promise<void>;
  /**
   * What was pushed before this console wrote it down, or by other means: the tip of every branch. Throws `AggregateError` when some
   * cannot be read; those of the other tenants are noted all the same.
   */
  noteTips(tenants: readonly string[], signal: AbortSignal): Promise<void>;
  /** The flows of a release, read from the repository when they are not known yet; empty where there is nothing to read. */
  flowsOf(release: KnownRelease, signal: AbortSignal): Promise<readonly ReleasedFlow[]>;
}

export function createPushedReleases(parts: {
  readonly repositories: GitRepositories;
  readonly releases: ReleaseStore;
  readonly now: () => Date;
}): PushedReleases {
  const { repositories, releases, now } = parts;

  const read = async (tenant: string, commit: string, signal: AbortSignal) => {
    const about = await repositories.commit(tenant, commit, signal);
    if (about === null) return null;
    const file = async (path: string, maxBytes: number) =>
      (await repositories.file(tenant, path, maxBytes, signal, commit))?.content ?? null;
    const files = {
      commit,
      tags: about.tags,
      manifest: await file('manifest.json', MANIFEST_MAX_BYTES),
      statement: await file('release.jws.json', SIGNED_DOCUMENT_MAX_BYTES),
    };
    return { commit: about.info, ...readReleased(files) };
  };

  const note = async (tenant: string, commit: string, signal: AbortSignal) => {
    const found = await read(tenant, commit, signal);
    if (found === null) return;
    await releases.pushed({ tenant, revision: `tenant/${tenant}@sha1:${commit}`, ...found }, now());
  };

  const noteTip = async (tenant: string, signal: AbortSignal) => {
    const tip = await repositories.tip(tenant, signal);
    if (tip === null) return;
    const known = await releases.get(tenant, `tenant/${tenant}@sha1:${tip}`);
    if (known?.newest !== true) await note(tenant, tip, signal);
  };

  return {
    note,
    async noteTips(tenants, signal) {
      const failed: string[] = [];
      const errors: unknown[] = [];
      for (const tenant of tenants) {
        try {
          await noteTip(tenant, signal);
        } catch (error) {
          if (signal.aborted) throw error;
          failed.push(tenant);
          errors.push(error);
        }
      }
      if (errors.length === 0) return;
      const message = `expected to read the branch of every tenant, found that it cannot be read of ${failed.join(', ')}`;
      throw new AggregateError(errors, message);
    },
    async flowsOf({ tenant, revision, flows }, signal) {
      if (flows !== null) return flows;
      const commit = OWN_REVISION.exec(revision)?.[1];
      const found = commit === undefined ? null : await read(tenant, commit, signal);
      if (found === null) return [];
      const { commit: info, seq } = found;
      await releases.read({ tenant, revision, commit: info, seq, flows: found.flows ?? [] });
      return found.flows ?? [];
    },
  };
}
