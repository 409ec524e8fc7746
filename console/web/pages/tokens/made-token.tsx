import { useState } from 'preact/hooks';
import type { TokenMade, TokenRow } from '../../../../schemas/console/token.ts';
import { Button } from '../../parts/button.tsx';
import { Command } from '../../parts/copied.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { Note } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/tokens.ts';
import { fr } from '../../text/fr/tokens.ts';
import { useText } from '../../text/language.tsx';

const SHELLS = ['posix', 'powershell'] as const;

/** The line, shown this once, and the machine as it arrives. */
export function MadeToken(props: { made: TokenMade; row: TokenRow | null; onAnother: () => void }) {
  const { made, row } = props;
  const text = useText({ en, fr });
  const [shell, setShell] = useState<(typeof SHELLS)[number]>('posix');
  return (
    <Card
      title={text.paste}
      side={
        <span class="shells" role="group" aria-label={text.paste}>
          {SHELLS.map((each) => (
            <Button
              key={each}
              small
              look="bare"
              class={each === shell ? 'is-chosen' : undefined}
              aria-pressed={each === shell}
              onClick={() => setShell(each)}
            >
              {text.shells[each]}
            </Button>
          ))}
        </span>
      }
    >
      <div class="stack">
        <p>
          {text.steps.before} <span class="quiet">{text.steps.beforeMore}</span>
        </p>
        <Command text={made.line[shell]} what={text.paste} />
        <p class="quiet small">
          {text.pasteMore} <Time at={made.expires_at} clock />
        </p>
        <p>
          {text.steps.after} <code>edge-agent reconcile</code> {text.steps.once} <code>edge-agent run</code>{' '}
          {text.steps.stay} <span class="quiet">{text.steps.stays}</span>
        </p>
        <div role="status">
          <Arrival row={row} />
        </div>
        <p>
          <Button onClick={props.onAnother}>{text.another}</Button>
        </p>
      </div>
    </Card>
  );
}

function Arrival({ row }: { row: TokenRow | null }) {
  const text = useText({ en, fr });
  if (row?.state === 'used')
    return (
      <Note
        tone="ok"
        title={text.used(row.hostname ?? row.agent_id ?? '')}
        side={
          row.agent_id === null ? undefined : (
            <Link class="button is-small" to={`/agents/${row.agent_id}`}>
              {text.open}
            </Link>
          )
        }
      />
    );
  if (row !== null && row.state !== 'open') return <Note tone="warn" title={text.gone} />;
  return (
    <p class="waiting-machine">
      <Icon name="reconciling" turning />
      <span>
        <strong>{text.waiting}</strong> <span class="quiet">{text.waitingMore}</span>
      </span>
    </p>
  );
}
