import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { TriggerKeyAnswer } from '../../../../schemas/console/trigger-key.ts';
import { useApi } from '../../api/provider.tsx';
import { Command } from '../../parts/copied.tsx';
import { Field } from '../../parts/field.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/settings.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { FormDialog } from './form-dialog.tsx';
import { triggerKeyIn } from './trigger-key-text.ts';

/** As the console reads it. */
const KEY_MAX_BYTES = 4_096;

/** Says what it means that the console may sign, and takes the key. */
export function GiveTriggerKey({ slug, onClose }: { slug: string; onClose: () => void }) {
  const { tenants: text } = useText({ en, fr });
  const api = useApi();
  const queries = useQueryClient();
  const toast = useToast();
  const [pasted, setPasted] = useState('');
  const [asked, setAsked] = useState(false);
  const found = triggerKeyIn(pasted);
  const faults = {
    missing: text.keyMissing,
    not_json: text.keyNotJson,
    public: text.keyPublic,
    wrong: text.keyWrong,
    key: null,
  };
  const send = async () => {
    setAsked(true);
    if (found.kind !== 'key') return false;
    const path = `/api/tenants/${encodeURIComponent(slug)}/trigger-key`;
    await api.send<TriggerKeyAnswer>('PUT', path, { key: found.key });
    void queries.invalidateQueries({ queryKey: ['tenants'] });
    void queries.invalidateQueries({ queryKey: ['agents'] });
    toast('ok', text.given(slug));
    return true;
  };
  return (
    <FormDialog wide title={text.giveTitle(slug)} action={text.giveAction} onSend={send} onClose={onClose}>
      <ul class="means">
        {text.giveMeans.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      <Field label={text.giveFile} note={text.giveFileNote}>
        {(control) => (
          <input
            {...control}
            class="input"
            type="file"
            accept=".jwk,.json,application/json"
            onChange={({ currentTarget }) => {
              const file = currentTarget.files?.[0];
              if (file === undefined) return;
              // More than a key is none, and is not read.
              if (file.size > KEY_MAX_BYTES) setPasted('null');
              else void file.text().then(setPasted);
              setAsked(true);
            }}
          />
        )}
      </Field>
      <Field label={text.givePaste} fault={asked ? faults[found.kind] : null}>
        {(control) => (
          <textarea
            {...control}
            class="input mono key-text"
            rows={3}
            spellcheck={false}
            autocomplete="off"
            maxLength={KEY_MAX_BYTES}
            value={pasted}
            onInput={(event) => setPasted(event.currentTarget.value)}
          />
        )}
      </Field>
      <div class="stack-small">
        <p class="quiet">{text.giveShell}</p>
        <Command text={`edge-console tenant trigger-key ${slug} --key trigger.jwk`} />
      </div>
    </FormDialog>
  );
}
