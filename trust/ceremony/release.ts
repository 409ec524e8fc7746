import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import { ReleaseStatement } from '../../schemas/release.ts';
import { sha256Hex } from '../jws.ts';
import { firstFault } from '../refusal.ts';
import { CeremonyError, draftOf, signDocument } from './draft.ts';

export interface ReleasePlan {
  readonly tenant: string;
  /** Above every seq signed before with the same set of release keys. */
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly issued: string;
  readonly expires: string;
  readonly root_version: number;
  readonly version?: string;
  readonly min_agent?: string;
  /** The raw bytes of `manifest.json`, exactly as they will lie on the branch. */
  readonly manifestBytes: Uint8Array;
  /** The raw bytes of `agent-policy.yaml`, when the release shall bind one. */
  readonly policyBytes?: Uint8Array;
}

/** The statement about a manifest (contract, section 5). Throws `CeremonyError` when a member is not of its form. */
export function makeReleaseStatement(plan: ReleasePlan): ReleaseStatement {
  const { manifestBytes, policyBytes, ...members } = plan;
  const statement = {
    type: 'edgeflows-release/v1',
    ...members,
    manifest: boundFile(manifestBytes),
    ...(policyBytes === undefined ? {} : { policy: boundFile(policyBytes) }),
  };
  const parsed = ReleaseStatement.safeParse(statement);
  if (!parsed.success) throw new CeremonyError(`release: ${firstFault(parsed.error)}`);
  if (Date.parse(parsed.data.expires) <= Date.parse(parsed.data.issued)) {
    throw new CeremonyError(`expected expires after issued (${plan.issued}), found ${plan.expires}`);
  }
  return parsed.data;
}

/** `release.jws.json`, signed by every key given; more can be added with `signDocument`. */
export async function signRelease(
  statement: ReleaseStatement,
  keys: readonly [PrivateJwk, ...PrivateJwk[]],
): Promise<GeneralJws> {
  const [first, ...others] = keys;
  let signed = await signDocument(draftOf(statement), first, 'edgeflows-release+jws');
  for (const key of others) signed = await signDocument(signed, key, 'edgeflows-release+jws');
  return signed;
}

function boundFile(bytes: Uint8Array): ReleaseStatement['manifest'] {
  return { sha256: sha256Hex(bytes), length: bytes.byteLength };
}
