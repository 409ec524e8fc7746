import type { ReleaseDetail } from '../../../../schemas/console/release.ts';
import { Badge } from '../../parts/badge.tsx';
import { Verbatim } from '../../parts/copied.tsx';
import { Link } from '../../parts/link.tsx';
import { Card } from '../../parts/page.tsx';
import { en } from '../../text/en/releases.ts';
import { fr } from '../../text/fr/releases.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';

/** Why agents cannot, grouped by what they say, each with the way to them. */
export function ProblemsCard(props: { problems: ReleaseDetail['problems']; tenant: string }) {
  const text = useText({ en, fr });
  const words = useWords();
  return (
    <Card title={text.one.problems} side={<span class="quiet small">{text.one.problemsMore}</span>} flush>
      <ul class="problems">
        {props.problems.map(({ reason, message, count }) => (
          <li key={`${reason} ${message}`} class="problems-row">
            <Badge tone="bad" icon="stalled">
              {words.agents(count)}
            </Badge>
            <p>
              <strong>{reason}</strong> <Verbatim>{message}</Verbatim>
            </p>
            <Link
              to="/agents"
              query={{ tenant: props.tenant, q: reason, state: 'stalled,unhealthy,reconciling' }}
            >
              {text.one.showFailing}
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
