import { GeneralJws } from '../../schemas/jws.ts';
import { ManifestV1 } from '../../schemas/manifest-v1.ts';
import { ManifestV2 } from '../../schemas/manifest-v2.ts';
import { VersionName } from '../../schemas/names.ts';
import { ReleaseStatement } from '../../schemas/release.ts';
import type { ReleasedFlow } from '../store/ports/releases.ts';

/** What lies at a revision of a branch, as bytes; null for a file that is not there. */
export interface RevisionFiles {
  readonly commit: string;
  /** Tags that point at the commit. */
  readonly tags: readonly string[];
  readonly manifest: Buffer | null;
  readonly statement: Buffer | null;
}

/** What the statement and the manifest say. Nothing of it is believed: agents verify, and the console only shows it. */
export function readReleased(files: RevisionFiles): {
  readonly seq: number | null;
  readonly flows: ReleasedFlow[] | null;
} {
  const statement = statementOf(files.statement);
  return { seq: statement?.seq ?? null, flows: flowsOf(files, statement?.version) };
}

function statementOf(document: Buffer | null): ReleaseStatement | null {
  const jws = GeneralJws.safeParse(jsonOf(document));
  if (!jws.success) return null;
  const statement = ReleaseStatement.safeParse(jsonOf(Buffer.from(jws.data.payload, 'base64url')));
  return statement.success ? statement.data : null;
}

function flowsOf(
  { manifest, tags, commit }: RevisionFiles,
  stated: string | undefined,
): ReleasedFlow[] | null {
  const json = jsonOf(manifest);
  const v2 = ManifestV2.safeParse(json);
  if (v2.success) {
    return v2.data.flows.map(({ id, version, sha256, runtime, schedule }) => ({
      id,
      version,
      sha256,
      runtime,
      schedule: schedule ?? null,
    }));
  }
  const v1 = ManifestV1.safeParse(json);
  if (!v1.success) return null;
  const { flow_id: id = 'default', sha256, runtime } = v1.data;
  const version = v1.data.version ?? stated ?? impliedVersion(tags, commit);
  return [{ id, version, sha256, runtime, schedule: null }];
}

/** Of a v1 manifest that names none (contract, section 3): by the tags of its commit, else by the commit. */
function impliedVersion(tags: readonly string[], commit: string): string {
  const patches = tags
    .flatMap((tag) => /^v1\.0\.(0|[1-9]\d{0,14})$/.exec(tag)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => b - a);
  if (patches[0] !== undefined) return `v1.0.${patches[0]}`;
  const builds = tags
    .filter((tag) => tag.startsWith('bld/'))
    .map((tag) => `bld-${tag.slice('bld/'.length)}`)
    .filter((name) => VersionName.safeParse(name).success)
    .toSorted();
  return builds.at(-1) ?? commit.slice(0, 12);
}

function jsonOf(bytes: Buffer | null): unknown {
  if (bytes === null) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
