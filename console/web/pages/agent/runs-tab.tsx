import { useRuns } from '../../api/queries.ts';
import { Link } from '../../parts/link.tsx';
import { RunsTable } from '../../parts/runs-table.tsx';
import { en } from '../../text/en/agent.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

const SHOWN = 20;

/** The last runs of the machine. */
export function RunsTab({ agentId }: { agentId: string }) {
  const { runs: text } = useText({ en, fr });
  const { data, error, isPlaceholderData, refetch } = useRuns({ agent: agentId, limit: SHOWN });
  return (
    <div class="stack-small">
      <RunsTable
        runs={data?.runs}
        without={['host', 'tenant']}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        none={text.none}
        noneMore={text.noneMore}
      />
      <p>
        <Link to="/runs" query={{ agent: agentId }}>
          {text.all}
        </Link>
      </p>
    </div>
  );
}
