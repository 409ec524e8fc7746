import { type Refused, TRIGGER_KEYS_FILE, type TrustMemory } from '../../reconciler/ports.ts';
import { TriggerKeys } from '../../schemas/tuf.ts';
import type { CommandAuthority } from '../command-verifier.ts';
import { firstFault, refused } from '../refusal.ts';
import { parseStrictJson } from '../strict-json.ts';
import { thumbprint } from '../thumbprint.ts';
import { tufKeySet } from './key-set.ts';
import { walkKnownRoots } from './known-roots.ts';

/** `trigger-keys.json`: the trigger role as a root of ours has it (docs/spec/tuf.md). */
export function readTriggerKeys(
  bytes: Uint8Array,
  name = TRIGGER_KEYS_FILE,
): { kind: 'keys'; keys: TriggerKeys } | Refused {
  const invalid = (fault: string) => refused('tuf_trigger_keys_invalid', `${name}: ${fault}`);
  const json = parseStrictJson(bytes);
  if (json.kind === 'malformed') return invalid(json.message);
  const parsed = TriggerKeys.safeParse(json.value);
  if (!parsed.success) return invalid(firstFault(parsed.error));
  for (const [kid, key] of Object.entries(parsed.data.keys)) {
    const expected = thumbprint(key);
    if (kid !== expected) {
      return invalid(`expected the key ${expected} under its thumbprint, found it as ${kid.slice(0, 80)}`);
    }
  }
  return { kind: 'keys', keys: parsed.data };
}

type Authority = (memory: TrustMemory) => Promise<CommandAuthority>;

/**
 * Whose commands count with `trust.mode: tuf`: the trigger keys of the release that was believed last, under the root in force.
 * None without them.
 */
export function tufCommandAuthority(pinnedRoot: string | null): Authority {
  let walked: { key: string; authority: CommandAuthority } | null = null;
  return async (memory) => {
    if (pinnedRoot === null) {
      return none(
        'expected the pinned TUF root in trust.root, found none: without a root there are no commands',
      );
    }
    const key = JSON.stringify([
      memory.tuf?.roots.map(({ version, payload_sha256: payload }) => [version, payload]),
      memory.tuf?.trigger_keys,
    ]);
    if (walked?.key !== key) walked = { key, authority: await authorityOf(pinnedRoot, memory) };
    return walked.authority;
  };
}

async function authorityOf(pinnedRoot: string, { tuf }: TrustMemory): Promise<CommandAuthority> {
  const walk = await walkKnownRoots(pinnedRoot, tuf?.roots ?? [], { read: async () => 'missing' });
  if (walk.kind === 'refused') return none(walk.message);
  const keySet = tufKeySet(walk.root, 'timestamp');
  const document = tuf?.trigger_keys.find(({ keys }) => keys === keySet)?.document ?? null;
  if (document === null) {
    return none(
      `expected ${TRIGGER_KEYS_FILE} among the signed targets of the release believed last, found none: without it there are no commands`,
    );
  }
  const read = readTriggerKeys(Buffer.from(document, 'utf8'));
  if (read.kind === 'refused') return none(read.message);
  const { version, expires } = walk.root.signed;
  return { kind: 'root', root: { version, expires, keys: read.keys.keys, roles: read.keys.roles } };
}

function none(message: string): CommandAuthority {
  return { kind: 'none', message };
}
