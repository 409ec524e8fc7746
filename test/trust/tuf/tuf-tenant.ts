import type { Snapshot, TrustMemory, Verdict } from '../../../reconciler/ports.ts';
import { EMPTY_TRUST_MEMORY } from '../../../trust/memory.ts';
import { createTufReleaseVerifier } from '../../../trust/tuf/release-verifier.ts';
import type { PythonTuf, TufPublisher, TufPublisherOptions } from '../../support/tuf-publisher.ts';

export const MANIFEST_TEXT = '{"edge_url":"https://a.example/b.tar.gz","sha256":"00","runtime":"python"}\n';

/** A publisher, and an agent of tenant acme that has nothing but a verifier and what it remembers. */
export interface TufTenant {
  readonly publisher: TufPublisher;
  memory: TrustMemory;
  /** Signs the manifest as a target, then targets, snapshot and timestamp. */
  release(text?: string, custom?: object): Promise<void>;
  /** The branch as it is now, with changes; null leaves a file out. */
  branch(changes?: Readonly<Record<string, string | null>>): Promise<Snapshot>;
  /** Verifies the branch and remembers what is to be remembered. */
  look(changes?: Readonly<Record<string, string | null>>, now?: Date): Promise<Verdict>;
}

export async function makeTufTenant(
  python: PythonTuf,
  options: TufPublisherOptions = {},
): Promise<TufTenant> {
  const publisher = await python.publisher(options);
  const verifier = createTufReleaseVerifier({ tenant: 'acme', pinnedRoot: publisher.root });
  let manifest = MANIFEST_TEXT;
  const tenant: TufTenant = {
    publisher,
    memory: EMPTY_TRUST_MEMORY,
    async release(text = MANIFEST_TEXT, custom) {
      manifest = text;
      await publisher.order('target', { path: 'tenant/acme/manifest.json', content: text, custom });
      await publisher.order('publish');
    },
    async branch(changes = {}) {
      const files = { 'manifest.json': manifest, ...(await publisher.files()), ...changes };
      const bytes = Object.entries(files).flatMap(([path, text]) =>
        text === null ? [] : [[path, Buffer.from(text)] as const],
      );
      const revision = `tenant/acme@sha1:${'0'.repeat(40)}`;
      return { revision, fingerprint: revision, commit: null, tags: [], files: new Map(bytes) };
    },
    async look(changes = {}, now = new Date()) {
      const verdict = await verifier.verify(await tenant.branch(changes), tenant.memory, now);
      tenant.memory = verdict.memory;
      return verdict;
    },
  };
  return tenant;
}
