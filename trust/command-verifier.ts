import type { CommandRefused, CommandVerifier, TrustMemory } from '../reconciler/ports.ts';
import { Command } from '../schemas/command.ts';
import type { PublicJwk } from '../schemas/jws.ts';
import type { Root } from '../schemas/root.ts';
import {
  type CommandEnvelope,
  claimedCommandId,
  commandSignatureHolds,
  readCommandEnvelope,
  refuseCommand,
} from './command-envelope.ts';
import { firstFault } from './refusal.ts';
import { type RootWalk, walkRoots } from './root-walk.ts';
import { parseStrictJson } from './strict-json.ts';
import { thumbprint } from './thumbprint.ts';
import { hasExpired, trustedTime } from './trusted-time.ts';

const LIFETIME_MAX_MS = 24 * 60 * 60 * 1_000;
/** How far ahead of us the clock of a signer may be. */
const ISSUED_AHEAD_MS = 5 * 60 * 1_000;
/** What a console may say of our clock adds to it, as far as releases go: honest signers sign nothing for later. */
const BEHIND_MAX_MS = 24 * 60 * 60 * 1_000;
/**
 * How long after its `expires` a command is taken by a machine whose clock is ahead. A console that lies of the time gains no more
 * than that: it could hand a command over this much too late (decision 0085).
 */
const LATE_MAX_MS = 15 * 60 * 1_000;
const ACTIONS: ReadonlySet<string> = new Set(Command.options.map((option) => option.shape.action.value));

/** Who may sign commands. `version` is for messages. */
export type CommandAuthority =
  | {
      readonly kind: 'root';
      readonly root: Pick<Root, 'version' | 'expires' | 'keys'> & {
        readonly roles: Pick<Root['roles'], 'trigger'>;
      };
    }
  | { readonly kind: 'none'; readonly message: string };
type InForce = Extract<CommandAuthority, { kind: 'root' }>['root'];

export interface CommandVerifierOptions {
  /** The exact text of the pinned root document, or null without `trust.root`: then there are no commands. */
  readonly pinnedRoot: string | null;
  readonly tenant: string;
  /** Who may sign, when a root of ours does not say (`trust.mode: tuf`). */
  readonly authority?: (memory: TrustMemory) => Promise<CommandAuthority>;
}

/**
 * Says whether a command is to be carried out (contract, section 8; docs/spec/command-message.md). Pure: no clock, no disk, no
 * network of its own. The checks run in this order, the cheap ones first, and nothing of the payload is believed before the
 * signature holds: envelope, root in force, key, signature, payload, whom it is for, when it was made.
 */
export function createCommandVerifier(options: CommandVerifierOptions): CommandVerifier {
  const { pinnedRoot, tenant } = options;
  const rootInForce = options.authority ?? rememberWalk(pinnedRoot);
  return {
    async verify(jws, at) {
      const { memory, now, agentId } = at;
      if (agentId === null) {
        const message = 'expected an enrolled agent (agent_id in agent.yaml), found none; enrol it';
        return refuseCommand('not_enrolled', message);
      }
      const envelope = readCommandEnvelope(jws);
      if (envelope.kind === 'refused') return envelope;
      const fault = (refusal: CommandRefused): CommandRefused => ({
        ...refusal,
        commandId: claimedCommandId(envelope.payload),
      });

      const walk = await rootInForce(memory);
      if (walk.kind === 'none') return fault(refuseCommand('no_root', walk.message));
      const time = trustedTime(now, memory.latest_issued);
      if (hasExpired(walk.root.expires, time)) return fault(expiredRoot(walk.root));
      const found = triggerKey(walk.root, envelope.kid);
      if (found.kind === 'refused') return fault(found);
      if (!commandSignatureHolds(envelope, found.key)) {
        const message = `expected a command signed by the key ${envelope.kid}, found another signature`;
        return fault(refuseCommand('signature_invalid', message));
      }

      const read = readPayload(envelope);
      if (read.kind === 'refused') return fault(read);
      const { command } = read;
      const misdirected = addresseeFault(command, tenant, agentId) ?? timeFault(command, time, at);
      return misdirected === null ? { kind: 'verified', command, kid: envelope.kid } : fault(misdirected);
    },
  };
}

/** Walked once for every set of remembered roots: each step is a signature or more, and commands come by the thousand. */
function rememberWalk(pinned: string | null): (memory: TrustMemory) => Promise<CommandAuthority> {
  let walked: { key: string; walk: RootWalk } | null = null;
  return async ({ roots }) => {
    if (pinned === null) {
      const message =
        'expected a pinned root in trust.root, found none: without a root there are no commands';
      return { kind: 'none', message };
    }
    const key = roots.map((root) => `${root.version}:${root.payload_sha256}`).join('\n');
    if (walked?.key !== key) walked = { key, walk: await walkRoots(pinned, roots, new Map()) };
    const { walk } = walked;
    return walk.kind === 'walked'
      ? { kind: 'root', root: walk.root }
      : { kind: 'none', message: walk.message };
  };
}

function expiredRoot(root: InForce): CommandRefused {
  const message = `expected a root that has not expired, found root ${root.version} with expires ${root.expires}; sign root ${root.version + 1}`;
  return refuseCommand('root_expired', message);
}

/** The key is looked up here and nowhere else; its id must be its thumbprint, and one signature must be enough. */
function triggerKey(root: InForce, kid: string): { kind: 'key'; key: PublicJwk } | CommandRefused {
  const key = Object.hasOwn(root.keys, kid) ? root.keys[kid] : undefined;
  if (key === undefined || thumbprint(key) !== kid) {
    return refuseCommand('key_unknown', `expected a key of root ${root.version}, found ${kid}`);
  }
  const role = root.roles.trigger;
  if (role === undefined || !role.keyids.includes(kid)) {
    const message = `expected a key of the trigger role of root ${root.version}, found ${kid}, which is none`;
    return refuseCommand('key_not_allowed', message);
  }
  if (role.threshold === 1) return { kind: 'key', key };
  const message = `expected threshold 1 of the trigger role of root ${root.version}, found ${role.threshold}: a command carries one signature; sign a root with threshold 1`;
  return refuseCommand('threshold_unsupported', message);
}

function readPayload(envelope: CommandEnvelope): { kind: 'payload'; command: Command } | CommandRefused {
  const json = parseStrictJson(envelope.payload);
  if (json.kind === 'malformed') {
    return refuseCommand('payload_malformed', `payload of the command: ${json.message}`);
  }
  const action =
    typeof json.value === 'object' && json.value !== null && 'action' in json.value
      ? json.value.action
      : null;
  if (typeof action === 'string' && !ACTIONS.has(action)) {
    const message = `expected one of the actions ${[...ACTIONS].join(', ')}, found ${JSON.stringify(action.slice(0, 80))}; update edge-agent`;
    return refuseCommand('action_unknown', message);
  }
  const parsed = Command.safeParse(json.value);
  if (parsed.success) return { kind: 'payload', command: parsed.data };
  return refuseCommand('payload_malformed', `payload of the command: ${firstFault(parsed.error)}`);
}

function addresseeFault(command: Command, tenant: string, agentId: string): CommandRefused | null {
  if (command.tenant !== tenant) {
    const message = `expected a command to tenant ${tenant}, found one to ${command.tenant}`;
    return refuseCommand('tenant_mismatch', message);
  }
  if (command.agent_id === agentId) return null;
  const message = `expected a command to agent ${agentId}, found one to ${command.agent_id}`;
  return refuseCommand('agent_mismatch', message);
}

type At = Parameters<CommandVerifier['verify']>[1];

/** A clock that is ahead is given room; what releases taught of the time, and what is forgotten, stay a floor. */
function expiryTime({ memory, now, clockOffsetMs = 0, forgottenUntil = null }: At): Date {
  const aheadMs = Math.min(Math.max(-clockOffsetMs, 0), LATE_MAX_MS);
  const time = trustedTime(new Date(now.getTime() - aheadMs), memory.latest_issued);
  return forgottenUntil !== null && forgottenUntil > time ? forgottenUntil : time;
}

function clockWords({ clockOffsetMs = 0 }: At): string {
  if (Math.abs(clockOffsetMs) < 60_000) return '';
  const minutes = Math.round(Math.abs(clockOffsetMs) / 60_000);
  return ` (the console says that this machine's clock is ${minutes} min ${clockOffsetMs > 0 ? 'behind' : 'ahead'})`;
}

/** Not `>` where it could be `!(… <=)`: a time that does not parse is never in order. */
function timeFault(command: Command, time: Date, at: At): CommandRefused | null {
  const { issued, expires } = command;
  const { stateSince } = at;
  const lifetime = Date.parse(expires) - Date.parse(issued);
  if (!(lifetime > 0 && lifetime <= LIFETIME_MAX_MS)) {
    const message = `expected expires after issued (${issued}) and at most 24 h later, found ${expires}`;
    return refuseCommand('lifetime_too_long', message);
  }
  const behindMs = Math.min(Math.max(at.clockOffsetMs ?? 0, 0), BEHIND_MAX_MS);
  if (!(Date.parse(issued) <= time.getTime() + ISSUED_AHEAD_MS + behindMs)) {
    const message = `expected a command issued at most 5 min ahead of this machine's clock, found ${issued}; check the clocks${clockWords(at)}`;
    return refuseCommand('issued_in_future', message);
  }
  if (hasExpired(expires, expiryTime(at))) {
    const message = `expected a command that has not expired, found expires ${expires}; check the clocks, or sign it again${clockWords(at)}`;
    return refuseCommand('command_expired', message);
  }
  if (Date.parse(issued) >= stateSince.getTime()) return null;
  const message = `expected a command issued since this agent's state began (${stateSince.toISOString()}), found ${issued}: it may have been carried out before; sign it again`;
  return refuseCommand('older_than_state', message);
}
