import type { RunDetail } from '../../../../schemas/console/run.ts';
import { Copy } from '../../parts/copied.tsx';
import { Card } from '../../parts/page.tsx';
import { en } from '../../text/en/run.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { visible } from './ansi.ts';

const ROWS_MAX = 14;

/** What the run was given, as far as this console knows and the reader may see it. */
export function RunInputsCard({ run }: { run: RunDetail }) {
  const { inputs: text } = useText({ en, fr });
  const format = useFormat();
  const { inputs } = run;
  if (inputs.kind !== 'given' && inputs.kind !== 'large')
    return (
      <Card title={text.title}>
        <p class="quiet">{text.not[inputs.kind]}</p>
      </Card>
    );
  const written = inputs.kind === 'given' ? JSON.stringify(inputs.value, null, 2) : null;
  return (
    <Card
      title={text.title}
      side={
        <span class="line">
          {written === null ? null : <Copy text={written} what={text.what} />}
          <a class="button is-small" href={inputsPath(run)} download={`inputs-${run.run_id}.json`}>
            {text.download}
          </a>
        </span>
      }
    >
      {written === null ? (
        <p class="quiet">{text.large(format.bytes(inputs.bytes))}</p>
      ) : (
        <textarea
          class="input mono"
          readOnly
          spellcheck={false}
          rows={Math.min(written.split('\n').length, ROWS_MAX)}
          aria-label={text.title}
          value={written.split('\n').map(visible).join('\n')}
        />
      )}
    </Card>
  );
}

export function inputsPath({ agent_id, run_id }: Pick<RunDetail, 'agent_id' | 'run_id'>): string {
  return `/api/agents/${encodeURIComponent(agent_id)}/runs/${encodeURIComponent(run_id)}/inputs`;
}
