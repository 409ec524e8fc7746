import { useState } from 'preact/hooks';
import type { Overview } from '../../../../schemas/console/overview.ts';
import { Button } from '../../parts/button.tsx';
import { ChangeText } from '../../parts/change-text.tsx';
import { Verbatim } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Empty } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/overview.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/overview.ts';
import { useText } from '../../text/language.tsx';

type Group = Overview['changes'][number];

/** More than that is read by somebody who looks for something: it is unfolded. */
const SHOWN = 10;

/** The last hour, like changes in one line. */
export function ChangesCard({ changes }: { changes: readonly Group[] }) {
  const text = useText({ en, fr });
  const [all, setAll] = useState(false);
  const shown = all ? changes : changes.slice(0, SHOWN);
  return (
    <Card title={text.changes} flush>
      {changes.length === 0 ? (
        <Empty icon="events" title={text.noChanges}>
          {text.noChangesMore}
        </Empty>
      ) : (
        <>
          <ul class="rows">
            {shown.map((group) => (
              <li key={`${group.at} ${group.tenant} ${group.kind} ${group.to} ${group.flow}`} class="row">
                <div class="row-head">
                  <p class="row-sentence">
                    <Who group={group} />
                    {text.between}
                    <ChangeText change={group} />
                  </p>
                  <span class="row-side quiet small">
                    <Time at={group.at} />
                  </span>
                </div>
                {group.message === null ? null : (
                  <p class="row-more is-short" title={group.message}>
                    {group.reason === null ? null : <strong>{group.reason} </strong>}
                    <Verbatim>{group.message}</Verbatim>
                  </p>
                )}
              </li>
            ))}
          </ul>
          {changes.length > SHOWN ? (
            <p class="rows-foot">
              <Button small look="bare" aria-expanded={all} onClick={() => setAll(!all)}>
                {all ? text.fewer : text.showMore(changes.length - SHOWN)}
              </Button>
            </p>
          ) : null}
        </>
      )}
    </Card>
  );
}

/** The one agent is a link; of many up to three are named. */
function Who({ group }: { group: Group }) {
  const text = useText({ en, fr });
  const format = useFormat();
  const [only] = group.agents;
  const count = group.agents_count ?? group.count;
  if (count === 1 && only !== undefined)
    return (
      <Link class="row-name" to={`/agents/${only.agent_id}`}>
        {only.hostname}
      </Link>
    );
  const names = group.agents.map(({ hostname }) => hostname);
  const shown = count > names.length ? names.join(', ') : format.list(names);
  return <strong>{text.who(shown, count, names.length)}</strong>;
}
