import type { AgentDetail } from '../../../../schemas/console/agent.ts';
import { Copy } from '../../parts/copied.tsx';
import { Card } from '../../parts/page.tsx';
import { Time } from '../../parts/time.tsx';
import { en } from '../../text/en/agent.ts';
import { fr } from '../../text/fr/agent.ts';
import { useText } from '../../text/language.tsx';

/** The document itself, for whoever wants to know exactly. */
export function StatusTab({ agent }: { agent: AgentDetail }) {
  const text = useText({ en, fr });
  const json = JSON.stringify(agent.status, null, 2);
  return (
    <Card
      title={text.raw}
      side={
        <>
          <span class="quiet small">
            <Time at={agent.status_received_at} />
          </span>
          <Copy text={json} what={text.raw} />
        </>
      }
    >
      <pre class="raw">{json}</pre>
    </Card>
  );
}
