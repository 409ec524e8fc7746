import { z } from 'zod';
import { PublicJwk } from './jws.ts';
import { Timestamp } from './names.ts';
import { PositiveSafeInteger } from './release.ts';

export const ROLE_NAMES = ['root', 'release', 'trigger', 'agent'] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

export const Role = z
  .object({ keyids: z.array(z.string()).max(256), threshold: z.int().min(1).max(256) })
  .refine((role) => new Set(role.keyids).size === role.keyids.length, 'expected each key id once')
  .refine((role) => role.threshold <= role.keyids.length, 'expected a threshold that the keys can reach');
export type Role = z.infer<typeof Role>;

/** The root of trust (contract, section 5): payload of `roots/<n>.root.jws.json`. */
export const Root = z
  .looseObject({
    type: z.literal('edgeflows-root/v1'),
    version: PositiveSafeInteger,
    expires: Timestamp,
    keys: z.record(z.string(), PublicJwk),
    roles: z.object({ root: Role, release: Role, trigger: Role.optional(), agent: Role.optional() }),
  })
  .superRefine((root, context) => {
    for (const name of ROLE_NAMES) {
      for (const keyid of root.roles[name]?.keyids ?? []) {
        if (Object.hasOwn(root.keys, keyid)) continue;
        const message = `expected every key of the role among "keys", found no ${keyid}`;
        context.addIssue({ code: 'custom', path: ['roles', name], message });
      }
    }
  });
export type Root = z.infer<typeof Root>;
