import { useFlows } from '../api/queries.ts';
import { Field } from '../parts/field.tsx';
import { en } from '../text/en/actions.ts';
import { fr } from '../text/fr/actions.ts';
import { useText } from '../text/language.tsx';
import { type Asking, type Draft, objectIn } from './asking.ts';

interface FieldsProps {
  asking: Asking;
  draft: Draft;
  onDraft: (draft: Draft) => void;
}

const HOURS = ['1', '4', '24', '168'] as const;

/** What an action needs to be told beside the reason. */
export function ActionFields({ asking, draft, onDraft }: FieldsProps) {
  const text = useText({ en, fr });
  switch (asking.action) {
    case 'run':
      return (
        <>
          <FlowField asking={asking} draft={draft} onDraft={onDraft} />
          <Field
            label={text.fields.inputs}
            note={
              <>
                {asking.inputsNote === undefined ? null : <>{asking.inputsNote} </>}
                {text.fields.inputsNote}
              </>
            }
            fault={objectIn(draft.inputs) === null ? text.fields.inputs_malformed : null}
          >
            {(field) => (
              <textarea
                {...field}
                class="input mono"
                rows={asking.inputs === undefined ? 3 : 6}
                spellcheck={false}
                placeholder="{}"
                value={draft.inputs}
                onInput={(event) => onDraft({ ...draft, inputs: event.currentTarget.value })}
              />
            )}
          </Field>
        </>
      );
    case 'rollback':
      return <FlowField asking={asking} draft={draft} onDraft={onDraft} />;
    case 'suspend':
      return (
        <Field label={text.fields.until}>
          {(field) => (
            <select
              {...field}
              class="input"
              value={draft.hours}
              onChange={(event) => onDraft({ ...draft, hours: event.currentTarget.value })}
            >
              <option value="">{text.fields.untilResumed}</option>
              {HOURS.map((hours) => (
                <option key={hours} value={hours}>
                  {text.fields.hours[hours]}
                </option>
              ))}
            </select>
          )}
        </Field>
      );
    default:
      return null;
  }
}

/** Flows of the one agent, or of all that are looked at. */
function FlowField({ asking, draft, onDraft }: FieldsProps) {
  const text = useText({ en, fr });
  const all = useFlows({ tenant: asking.tenant ?? undefined, limit: 500 }, asking.flows === undefined);
  if (asking.flow !== undefined) return null;
  const offered = asking.flows ?? [...new Set((all.data?.flows ?? []).map(({ flow }) => flow))];
  return (
    <Field label={text.fields.flow} required>
      {(field) => (
        <select
          {...field}
          class="input"
          value={draft.flow}
          onChange={(event) => onDraft({ ...draft, flow: event.currentTarget.value })}
        >
          <option value="">{text.fields.chooseFlow}</option>
          {offered.map((flow) => (
            <option key={flow} value={flow}>
              {flow}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
