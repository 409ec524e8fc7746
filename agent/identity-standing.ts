import type { Clock, EventSink } from '../reconciler/ports.ts';
import { type IdentityConflict, StatusAnswer } from '../schemas/identity.ts';
import type { IdentityStatus } from '../schemas/status.ts';
import type { Post, PostAnswer } from '../sinks/delivery.ts';
import { errorIn, printable } from './console-answer.ts';

const STATUS_PATH = '/edge/status';

export interface IdentityStanding {
  /** The same calls, whose answers are listened to. */
  listening(post: Post): Post;
  /** The console says that another machine speaks with this identity; null: no more. */
  conflict(told: IdentityConflict | null): void;
  state(): IdentityStatus;
}

/**
 * What the console thinks of this agent's identity, told in events and in the status: another machine has it too, it was revoked,
 * or its key was replaced elsewhere. The agent goes on with what is active whatever that is.
 */
export function createIdentityStanding(parts: {
  readonly enrolled: () => boolean;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly stateChanged: () => void;
  readonly rotationAsked: () => void;
}): IdentityStanding {
  const { events, clock } = parts;
  let state: Exclude<IdentityStatus['state'], 'not_enrolled'> = 'enrolled';
  let since: string | null = null;
  let message: string | null = null;

  const become = (next: typeof state, text: string | null, tell: (said: string) => void) => {
    message = text;
    if (next === state) return;
    state = next;
    since = next === 'enrolled' ? null : clock.now().toISOString();
    tell(text ?? '');
    parts.stateChanged();
  };
  const refuse = (next: 'revoked' | 'key_retired', said: string | null) => {
    const text =
      next === 'revoked'
        ? `the console takes nothing more from this agent (${said ?? 'it was revoked'}); what is active goes on; enrol this machine again with a new token: edge-agent enroll`
        : `this machine has a device key that was replaced elsewhere (${said ?? 'a copy or a restored backup'}); what is active goes on; enrol this machine again with a new token: edge-agent enroll`;
    become(next, text, (because) => {
      const what =
        next === 'revoked' ? 'this agent was revoked' : 'the device key of this agent is a former one';
      events.emit({ severity: 'error', reason: 'IdentityRefused', message: what, because });
    });
  };
  const conflict = (told: IdentityConflict | null) => {
    if (told === null) {
      if (state !== 'conflict') return;
      become('enrolled', null, () => {
        const text = 'no other machine speaks with the identity of this agent any more';
        events.emit({ severity: 'info', reason: 'IdentityRestored', message: text });
      });
      return;
    }
    const machines = told.machines.map(
      ({ hostname, os, address, since: from, you }) =>
        `${printable(hostname ?? 'a machine without a name')}${os === null ? '' : ` (${printable(os)})`} at ${printable(address)} since ${from}${you ? ', this one' : ''}`,
    );
    const text = `another machine speaks with the identity of this agent: ${machines.join('; ')}; on the one that is a copy run "edge-agent unenroll --local", then enrol it with a token of its own`;
    become('conflict', text, (because) => {
      const what = 'another machine speaks with the identity of this agent';
      events.emit({ severity: 'error', reason: 'IdentityConflict', message: what, because });
    });
  };

  const heard = (path: string, answer: PostAnswer) => {
    if (answer.kind === 'no_answer') return;
    const { status, body } = answer;
    if (status === 401 || status === 403) {
      const said = errorIn(body);
      if (said?.code === 'agent_revoked') refuse('revoked', said.message);
      if (said?.code === 'key_retired') refuse('key_retired', said.message);
      return;
    }
    if (status < 200 || status >= 300) return;
    if (state === 'revoked' || state === 'key_retired') {
      become('enrolled', null, () => {
        const text = 'the console takes what this agent sends again';
        events.emit({ severity: 'info', reason: 'IdentityRestored', message: text });
      });
    }
    if (path !== STATUS_PATH) return;
    const told = StatusAnswer.safeParse(jsonOf(body)).data;
    if (told === undefined) return;
    conflict(told.identity_conflict ?? null);
    if (told.rotate_key === true) parts.rotationAsked();
  };

  return {
    listening: (post) => async (path, body, headers, signal) => {
      const answer = await post(path, body, headers, signal);
      heard(path, answer);
      return answer;
    },
    conflict,
    state: () =>
      parts.enrolled() ? { state, since, message } : { state: 'not_enrolled', since: null, message: null },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
