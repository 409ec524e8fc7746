import { useState } from 'preact/hooks';
import type { RunDetail } from '../../../../schemas/console/run.ts';
import { useAsking } from '../../actions/use-asking.tsx';
import { useApi } from '../../api/provider.tsx';
import { useAgent } from '../../api/queries.ts';
import { Button } from '../../parts/button.tsx';
import { useFaultText } from '../../parts/note.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/run.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { useWords } from '../../text/words.ts';
import { useOffBecause } from '../agent/agent-actions.tsx';
import { goesOn } from './going-on.ts';
import { inputsPath } from './inputs.tsx';

/** Cancels it while it goes on; asks for the same flow once more. What is off says why. */
export function RunActions({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const words = useWords();
  const { data: agent } = useAgent(run.agent_id);
  const [dialog, ask] = useAsking();
  const api = useApi();
  const toast = useToast();
  const faultText = useFaultText();
  const on = {
    targets: { agents: [run.agent_id] },
    count: 1,
    hostname: run.hostname,
    tenant: run.tenant,
  };
  const offBecause = useOffBecause(agent ?? null);
  const [fetching, setFetching] = useState(false);
  const again = async () => {
    const { inputs } = run;
    const asking = { ...on, action: 'run', flow: run.flow } as const;
    const { again: note } = text.inputs;
    switch (inputs.kind) {
      case 'given':
        ask({ ...asking, inputs: inputs.value, inputsNote: note.given });
        return;
      case 'large':
        setFetching(true);
        try {
          const whole = await api.get<unknown>(inputsPath(run));
          ask({ ...asking, inputs: whole, inputsNote: note.given });
        } catch (fault) {
          toast('bad', faultText(fault));
        } finally {
          setFetching(false);
        }
        return;
      case 'elsewhere':
      case 'forgotten':
        ask({ ...asking, inputsNote: note[inputs.kind] });
        return;
      default:
        ask(asking);
    }
  };
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
        offBecause={known ? offBecause('run', run.flow) : words.loading}
        disabled={fetching}
        onClick={() => void again()}
      >
        {text.again}
      </Button>
      {dialog}
    </>
  );
}
