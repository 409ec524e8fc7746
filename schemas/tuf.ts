import { z } from 'zod';
import { PublicJwk } from './jws.ts';
import { Timestamp, VersionName } from './names.ts';
import { PositiveSafeInteger } from './release.ts';
import { Role } from './root.ts';

/**
 * Metadata of The Update Framework 1.x (https://theupdateframework.github.io/specification/), as it is read: unknown members are
 * kept, for they are signed too. Counts are bounded here, bytes where a file is read.
 */

const MAX_KEYS = 1_024;
const MAX_DELEGATED_ROLES = 4_096;
const MAX_PATHS = 4_096;

const Name = z.string().min(1).max(1_024);
const Hashes = z.record(z.string().max(32), z.string().regex(/^[0-9a-f]{1,128}$/, 'expected a hash in hex'));
const Length = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

export const TufKey = z.looseObject({
  keytype: z.string().max(64),
  scheme: z.string().max(64),
  keyval: z.looseObject({ public: z.string().max(16_384) }),
});
export type TufKey = z.infer<typeof TufKey>;

const Keys = z
  .record(Name, TufKey)
  .refine((keys) => Object.keys(keys).length <= MAX_KEYS, `expected at most ${MAX_KEYS} keys`);

/** A role without keys is of the format, and nobody can sign for it. */
export const TufRole = z.looseObject({
  keyids: z
    .array(Name)
    .max(256)
    .refine((ids) => new Set(ids).size === ids.length, 'expected each key id once'),
  threshold: z.int().min(1).max(256),
});
export type TufRole = z.infer<typeof TufRole>;

const common = {
  spec_version: z.string().regex(/^1\.\d{1,5}(?:\.\d{1,5})?$/, 'expected version 1.x of the specification'),
  version: PositiveSafeInteger,
  expires: Timestamp,
};

export const TufRoot = z.looseObject({
  ...common,
  _type: z.literal('root'),
  consistent_snapshot: z.boolean().default(false),
  keys: Keys,
  roles: z.looseObject({ root: TufRole, timestamp: TufRole, snapshot: TufRole, targets: TufRole }),
});
export type TufRoot = z.infer<typeof TufRoot>;

/** What one metadata file says of another. */
export const TufMetaFile = z.looseObject({
  version: PositiveSafeInteger,
  length: Length.optional(),
  hashes: Hashes.optional(),
});
export type TufMetaFile = z.infer<typeof TufMetaFile>;

export const TufTimestamp = z.looseObject({
  ...common,
  _type: z.literal('timestamp'),
  meta: z.looseObject({ 'snapshot.json': TufMetaFile }),
});
export type TufTimestamp = z.infer<typeof TufTimestamp>;

export const TufSnapshot = z.looseObject({
  ...common,
  _type: z.literal('snapshot'),
  meta: z.record(Name, TufMetaFile),
});
export type TufSnapshot = z.infer<typeof TufSnapshot>;

export const TufTarget = z.looseObject({
  length: Length,
  hashes: Hashes,
  custom: z.record(z.string(), z.unknown()).optional(),
});
export type TufTarget = z.infer<typeof TufTarget>;

export const TufDelegatedRole = TufRole.extend({
  name: Name.refine(
    (name) => !['root', 'timestamp', 'snapshot', 'targets'].includes(name),
    'expected no name of a top-level role',
  ),
  terminating: z.boolean().default(false),
  paths: z.array(z.string().max(4_096)).max(MAX_PATHS).optional(),
  path_hash_prefixes: z
    .array(z.string().regex(/^[0-9a-f]{1,64}$/))
    .max(MAX_PATHS)
    .optional(),
});
export type TufDelegatedRole = z.infer<typeof TufDelegatedRole>;

/** Hash bins (TAP 15). */
export const TufSuccinctRoles = TufRole.extend({
  bit_length: z.int().min(1).max(32),
  name_prefix: z.string().min(1).max(256),
});
export type TufSuccinctRoles = z.infer<typeof TufSuccinctRoles>;

const Delegations = z
  .looseObject({
    keys: Keys,
    roles: z
      .array(TufDelegatedRole)
      .max(MAX_DELEGATED_ROLES)
      .refine(
        (roles) => new Set(roles.map(({ name }) => name)).size === roles.length,
        'expected each name once',
      )
      .optional(),
    succinct_roles: TufSuccinctRoles.optional(),
  })
  .refine(
    ({ roles, succinct_roles: bins }) => (roles === undefined) !== (bins === undefined),
    'expected either roles or succinct_roles',
  );
export type TufDelegations = z.infer<typeof Delegations>;

export const TufTargets = z.looseObject({
  ...common,
  _type: z.literal('targets'),
  targets: z.record(z.string().max(4_096), TufTarget),
  delegations: Delegations.optional(),
});
export type TufTargets = z.infer<typeof TufTargets>;

/** A metadata file. Which of the above `signed` is comes from who asks for it, never from the file alone. */
export const TufEnvelope = z.looseObject({
  signatures: z
    .array(z.looseObject({ keyid: Name, sig: z.string().max(8_192) }))
    .max(64)
    .refine((all) => new Set(all.map(({ keyid }) => keyid)).size === all.length, 'expected each keyid once'),
  signed: z.record(z.string(), z.unknown()),
});

/** What `custom` of the manifest's target may say of the release (docs/spec/tuf.md); other members are the publisher's own. */
export const TufReleaseCustom = z.looseObject({
  version: VersionName.optional(),
  min_agent: z
    .string()
    .regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, 'expected a version such as 1.4.0')
    .optional(),
  issued: Timestamp.optional(),
});
export type TufReleaseCustom = z.infer<typeof TufReleaseCustom>;

/** `trigger-keys.json`, a signed target: whose commands the agent takes. The role is that of a root of ours. */
export const TriggerKeys = z
  .strictObject({
    type: z.literal('edgeflows-trigger-keys/v1'),
    keys: z.record(z.string(), PublicJwk),
    roles: z.strictObject({ trigger: Role }),
  })
  .superRefine(({ keys, roles }, context) => {
    for (const keyid of roles.trigger.keyids) {
      if (Object.hasOwn(keys, keyid)) continue;
      const message = `expected every key of the role among "keys", found no ${keyid}`;
      context.addIssue({ code: 'custom', path: ['roles', 'trigger'], message });
    }
  });
export type TriggerKeys = z.infer<typeof TriggerKeys>;
