import type { RunDetail } from '../../../../schemas/console/run.ts';
import { useAsking } from '../../actions/use-asking.tsx';
import { useAgent } from '../../api/queries.ts';
import { Button } from '../../parts/button.tsx';
import { en } from '../../text/en/run.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';
import { useOffBecause } from '../agent/agent-actions.tsx';
import { goesOn } from './going-on.ts';

/** Cancels it while it goes on; asks for the same flow once more. What is off says why. */
export function RunActions({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const words = useWords();
  const { data: agent } = useAgent(run.agent_id);
  const [dialog, ask] = useAsking();
  const on = {
    targets: { agents: [run.agent_id] },
    count: 1,
    hostname: run.hostname,
    tenant: run.tenant,
  };
  const offBecause = useOffBecause(agent ?? null);
  const known = agent !== undefined;
  return (
    <>
      {goesOn(run.state) ? (
        <Button
          look="danger"
          offBecause={known ? offBecause('cancel') : words.loading}
          onClick={() => ask({ ...on, action: 'cancel', runId: run.run_id })}
        >
          {text.cancel}
        </Button>
      ) : null}
      <Button
        icon="runs"
        offBecause={known ? offBecause('run') : words.loading}
        onClick={() => ask({ ...on, action: 'run', flow: run.flow })}
      >
        {text.again}
      </Button>
      {dialog}
    </>
  );
}
