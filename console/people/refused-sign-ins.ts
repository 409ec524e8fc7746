import type { AuditEntry } from '../store/ports/audit.ts';
import type { PersonRecord } from '../store/ports/people.ts';
import { tell } from './people.ts';

const PERSON_EVERY_MS = 10 * 60_000;
const NOBODY_EVERY_MS = 60 * 60_000;
const NOBODY = '';

/** Sign-ins that were refused, for the audit: at most one row in ten minutes a person, so that nobody writes it full. */
export interface RefusedSignIns {
  /** `null`: nobody has the login. It is not repeated, as people type passwords into the wrong field. */
  note(person: PersonRecord | null, ip: string): void;
}

/** `write` is not waited for: an answer must not take longer when somebody has the login. */
export function createRefusedSignIns(parts: {
  readonly write: (entry: AuditEntry) => void;
  readonly nowMs: () => number;
}): RefusedSignIns {
  const seen = new Map<string, { since: number; count: number }>();
  return {
    note(person, ip) {
      const key = person?.person_id ?? NOBODY;
      const at = parts.nowMs();
      const last = seen.get(key);
      const every = person === null ? NOBODY_EVERY_MS : PERSON_EVERY_MS;
      if (last !== undefined && at - last.since < every) {
        last.count += 1;
        return;
      }
      // Before it is set again, so that those who are gone do not stay: only people who are there have a key of their own.
      seen.set(key, { since: at, count: 0 });
      const more =
        last === undefined || last.count === 0 ? '' : `, and ${last.count} times since the last row`;
      const from = `from ${ip}${more}`;
      const by = { by: 'console', id: 'console' };
      parts.write(
        person === null
          ? {
              action: 'sign_in_refused',
              tenant: null,
              agent_id: null,
              by: by.by,
              message: `a sign-in with a login that nobody has was refused, ${from}`,
            }
          : tell(by, 'sign_in_refused', person, `was refused to sign in, ${from}`),
      );
    },
  };
}
