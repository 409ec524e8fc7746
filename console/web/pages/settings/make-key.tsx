import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type { KeyDraft, NewKeyAnswer } from '../../../../schemas/console/keys.ts';
import type { Grant } from '../../../../schemas/console/people.ts';
import { useApi } from '../../api/provider.tsx';
import { Command } from '../../parts/copied.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Field } from '../../parts/field.tsx';
import { Note } from '../../parts/note.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { useNow } from '../../parts/time.tsx';
import { en } from '../../text/en/settings.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { FormDialog } from './form-dialog.tsx';
import { GrantsField, wholeGrants } from './grants.tsx';

const DAY_MS = 86_400_000;
const DAYS = ['30', '90', '365', ''] as const;

/** A key for a program: what it may, how long, and then the key itself, this once. */
export function MakeKey({ onClose }: { onClose: () => void }) {
  const { keys: text } = useText({ en, fr });
  const api = useApi();
  const queries = useQueryClient();
  const now = useNow();
  const [label, setLabel] = useState('');
  const [days, setDays] = useState<string>('90');
  const [grants, setGrants] = useState<readonly Grant[]>([{ tenant: '', role: 'viewer' }]);
  const [asked, setAsked] = useState(false);
  const [made, setMade] = useState<NewKeyAnswer | null>(null);
  const named = label.trim() !== '';
  const send = async () => {
    setAsked(true);
    if (!named || !wholeGrants(grants)) return false;
    const draft: z.input<typeof KeyDraft> = {
      label,
      grants: [...grants],
      expires_at: days === '' ? null : new Date(now.getTime() + Number(days) * DAY_MS).toISOString(),
    };
    setMade(await api.send<NewKeyAnswer>('POST', '/api/keys', draft));
    void queries.invalidateQueries({ queryKey: ['keys'] });
    return false;
  };
  if (made !== null)
    return (
      <Dialog title={text.secretTitle(made.key.label)} onClose={onClose}>
        <Note tone="warn" title={text.secretText} />
        <Command text={made.secret} what={text.secret} />
        <div class="stack-small">
          <h3>{text.example}</h3>
          <Command text={`curl -H 'X-Api-Key: ${made.secret}' ${window.location.origin}/api/agents`} />
        </div>
      </Dialog>
    );
  return (
    <FormDialog title={text.makeTitle} action={text.makeAction} onSend={send} onClose={onClose}>
      <TextField
        label={text.label}
        note={text.labelNote}
        fault={asked && !named ? text.labelNote : null}
        maxLength={100}
        value={label}
        onInput={setLabel}
      />
      <GrantsField grants={grants} onGrants={setGrants} asked={asked} />
      <Field label={text.expires}>
        {(control) => (
          <select
            {...control}
            class="input"
            value={days}
            onChange={(event) => setDays(event.currentTarget.value)}
          >
            {DAYS.map((each) => (
              <option key={each} value={each}>
                {text.days[each]}
              </option>
            ))}
          </select>
        )}
      </Field>
    </FormDialog>
  );
}
