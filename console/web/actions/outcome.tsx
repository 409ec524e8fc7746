import type { ActionAnswer } from '../../../schemas/console/action.ts';
import { Mono, Verbatim, Version } from '../parts/copied.tsx';
import { FaultNote, Note } from '../parts/note.tsx';
import { en } from '../text/en/actions.ts';
import { fr } from '../text/fr/actions.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';
import { type Asking, type Draft, objectIn } from './asking.ts';
import type { Dry } from './use-dry-run.ts';

/** What will happen, in sentences, from the dry run. */
export function Outcome({ asking, draft, dry }: { asking: Asking; draft: Draft; dry: Dry }) {
  const text = useText({ en, fr });
  const words = useWords();
  switch (dry.kind) {
    case 'looking':
      return <p class="quiet">{words.confirm.looking}</p>;
    case 'flow_missing':
      return <p class="quiet">{text.fields.flow_missing}</p>;
    // The field itself says what is wrong.
    case 'inputs_malformed':
      return <p class="quiet">{text.fields.afterInputs}</p>;
    case 'fault':
      return <FaultNote fault={dry.fault} />;
    case 'told': {
      const { counts, versions } = dry.answer;
      const taken = counts.total - counts.refused;
      return (
        <div class="stack-small">
          {taken === 0 ? null : <p>{text.will[asking.action](taken)}</p>}
          {asking.action === 'run' && taken > 0 ? <Inputs draft={draft} /> : null}
          {counts.offline === 0 ? null : <p>{text.offline(counts.offline)}</p>}
          {versions.length === 0 ? null : (
            <ul>
              {versions.map(({ flow, from, to, agents }) => (
                <li key={`${flow} ${from} ${to}`}>
                  {flow}: <Version version={from} /> → <Version version={to} /> ({words.agents(agents)})
                </li>
              ))}
            </ul>
          )}
          {counts.refused === 0 ? null : <Refusals answer={dry.answer} />}
        </div>
      );
    }
  }
}

const INPUTS_SHOWN = 300;

/** What each run is given, as it will be signed: on one line, and cut where it is long. */
function Inputs({ draft }: { draft: Draft }) {
  const text = useText({ en, fr });
  const inputs = objectIn(draft.inputs) ?? {};
  if (Object.keys(inputs).length === 0) return <p>{text.withoutInputs}</p>;
  const written = JSON.stringify(inputs);
  return (
    <p class="asked-inputs">
      {text.withInputs}{' '}
      <code>{written.length > INPUTS_SHOWN ? `${written.slice(0, INPUTS_SHOWN)}…` : written}</code>
    </p>
  );
}

const SHOWN = 8;
/** What these say depends on the case: the console's own words follow the reader's. */
const IN_DETAIL = [
  'previous_quarantined',
  'key_not_allowed',
  'command_invalid',
  'command_too_large',
  'version_not_active',
];

/** Who it is not for, and why, as the console says. */
export function Refusals({ answer }: { answer: ActionAnswer }) {
  const text = useText({ en, fr });
  const refused = answer.outcomes.filter(({ outcome }) => outcome === 'refused');
  return (
    <Note tone="warn" title={text.refusedTitle(answer.counts.refused)}>
      <ul class="small">
        {refused.slice(0, SHOWN).map(({ agent_id, hostname, message, code }) => (
          <li key={agent_id}>
            <strong>{hostname}</strong>
            {text.colon} {(code === null ? undefined : text.refusals[code]) ?? message}{' '}
            {code === null ? null : <Mono text={code} />}
            {code !== null && IN_DETAIL.includes(code) && message !== null ? (
              <Verbatim>{message}</Verbatim>
            ) : null}
          </li>
        ))}
      </ul>
      {answer.counts.refused > SHOWN ? (
        <p class="small">{text.andMore(answer.counts.refused - SHOWN)}</p>
      ) : null}
    </Note>
  );
}
