import type { z } from 'zod';
import type { ActionName, ActionRequest } from '../../schemas/console/action.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { VersionName } from '../../schemas/names.ts';
import { RequestRefused } from '../refusal.ts';

/** What an action asks, as it was parsed, without whom. */
export type Asked = Omit<z.output<typeof ActionRequest>, 'targets' | 'dry_run'>;
type Word = 'flow' | 'version' | 'inputs' | 'timeout' | 'run_id' | 'until';

const WORDS: Readonly<
  Record<ActionName, { readonly needed: readonly Word[]; readonly taken: readonly Word[] }>
> = {
  reconcile: { needed: [], taken: [] },
  run: { needed: ['flow'], taken: ['version', 'inputs', 'timeout'] },
  cancel: { needed: ['run_id'], taken: [] },
  suspend: { needed: [], taken: ['until'] },
  resume: { needed: [], taken: [] },
  rollback: { needed: ['flow'], taken: [] },
  revoke: { needed: [], taken: [] },
};
const ALL: readonly Word[] = ['flow', 'version', 'inputs', 'timeout', 'run_id', 'until'];

/** Throws 422 `action_invalid` for an action that lacks something, or comes with what means nothing to it. */
export function expectWhole(asked: Asked, now: Date): void {
  const { needed, taken } = WORDS[asked.action];
  const lacking = needed.find((word) => asked[word] === undefined);
  if (lacking !== undefined) throw invalid(`expected ${lacking} with ${asked.action}, found none`);
  const extra = ALL.find(
    (word) => asked[word] !== undefined && !needed.includes(word) && !taken.includes(word),
  );
  if (extra !== undefined) throw invalid(`expected no ${extra} with ${asked.action}, found one`);
  const { version, timeout, until } = asked;
  if (version !== undefined && !VersionName.safeParse(version).success) {
    throw invalid('version: expected the name of a version, such as v1.0.7');
  }
  if (timeout !== undefined && !((parseDuration(timeout) ?? 0) > 0)) {
    throw invalid('timeout: expected a duration such as 30s or 5m');
  }
  if (until !== undefined && Date.parse(until) <= now.getTime()) {
    throw invalid(`until: expected a time to come, found ${until}`);
  }
}

function invalid(message: string): RequestRefused {
  return new RequestRefused(422, 'action_invalid', message);
}
