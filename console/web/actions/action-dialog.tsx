import { useRef, useState } from 'preact/hooks';
import type { ActionAnswer, ActionRequest } from '../../../schemas/console/action.ts';
import { useApi } from '../api/provider.tsx';
import { ConfirmAction } from '../parts/confirm-action.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { type ToastLink, useToast } from '../parts/toast.tsx';
import { en } from '../text/en/actions.ts';
import { fr } from '../text/fr/actions.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';
import { ActionFields } from './action-fields.tsx';
import { type Asking, draftOf, requestOf } from './asking.ts';
import { Outcome, Refusals } from './outcome.tsx';
import { useDryRun } from './use-dry-run.ts';

/** From so many agents on, their number has to be typed. */
const MANY = 20;

/** Asks for what the action needs, says what it would do (a dry run at the console), takes a reason, and does it once. */
export function ActionDialog(props: { asking: Asking; onClose: () => void; onDone: () => void }) {
  const { asking } = props;
  const text = useText({ en, fr });
  const words = useWords();
  const api = useApi();
  const toast = useToast();
  const [draft, setDraft] = useState(() => draftOf(asking));
  const [typed, setTyped] = useState('');
  const [done, setDone] = useState<ActionAnswer | null>(null);
  /** Some were refused: the dialog stays to say which. */
  const stays = useRef(false);
  const [key] = useState(() => idempotencyKey());
  const dry = useDryRun(asking, draft);

  const who = asking.hostname ?? words.agents(asking.count);
  const expected =
    asking.action === 'revoke' || asking.count > MANY ? (asking.hostname ?? String(asking.count)) : null;
  const unsure = expected !== null && typed.trim() !== expected;

  const confirm = async (reason: string) => {
    const written = requestOf(asking, draft, reason, new Date());
    if (written.kind !== 'request') throw new Error(text.fields[written.kind]);
    const answer = await send(written.request, key);
    props.onDone();
    const { refused, total } = answer.counts;
    toast(
      refused === 0 ? 'ok' : 'warn',
      text.done(asking.action, total - refused, refused),
      linkTo(answer, draft.flow, text.see),
    );
    if (refused === 0) return;
    stays.current = true;
    setDone(answer);
  };
  const send = async (request: ActionRequest, idempotency: string) =>
    api.send<ActionAnswer>('POST', '/api/actions', request, {
      headers: { 'idempotency-key': idempotency },
      timeoutMs: 60_000,
    });

  const offBecause = () => {
    if (dry.kind !== 'told') return text.off[dry.kind];
    if (dry.answer.counts.refused === dry.answer.counts.total) return text.allRefused;
    return unsure ? text.typeIt : null;
  };

  if (done !== null)
    return (
      <Dialog title={text.refusedTitle(done.counts.refused)} onClose={props.onClose}>
        <Refusals answer={done} />
      </Dialog>
    );
  return (
    <ConfirmAction
      title={text.title[asking.action](who, asking.flow)}
      action={text.verb[asking.action]}
      danger={asking.action === 'revoke' || asking.action === 'rollback' || asking.action === 'cancel'}
      outcome={<Outcome asking={asking} draft={draft} dry={dry} />}
      offBecause={offBecause()}
      onConfirm={confirm}
      onClose={() => {
        if (!stays.current) props.onClose();
      }}
    >
      <ActionFields asking={asking} draft={draft} onDraft={setDraft} />
      {expected === null ? null : (
        <Field label={text.confirmBy(expected)} required>
          {(field) => (
            <input
              {...field}
              class="input"
              autocomplete="off"
              spellcheck={false}
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
    </ConfirmAction>
  );
}

/** Where what was asked for is followed: the run, the runs, or the commands of the one agent. */
function linkTo(
  { action, outcomes }: ActionAnswer,
  flow: string,
  see: { run: string; runs: string; commands: string },
): ToastLink | undefined {
  const taken = outcomes.filter(({ outcome }) => outcome !== 'refused');
  const [first] = taken;
  if (first === undefined || action === 'revoke' || action === 'reconcile' || action === 'cancel')
    return undefined;
  const agent = `/agents/${encodeURIComponent(first.agent_id)}`;
  if (action === 'run')
    return taken.length === 1 && first.run_id !== null
      ? { to: `${agent}/runs/${encodeURIComponent(first.run_id)}`, word: see.run }
      : { to: '/runs', query: { flow }, word: see.runs };
  return taken.length === 1 ? { to: agent, query: { tab: 'commands' }, word: see.commands } : undefined;
}

/** A request that is sent again, because its answer was lost, does nothing twice. */
function idempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
