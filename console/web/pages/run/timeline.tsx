import type { ConsoleRunState, RunDetail, RunStep } from '../../../../schemas/console/run.ts';
import { RUN_LOOK, type Tone } from '../../parts/badge.tsx';
import { Icon, type IconName } from '../../parts/icon.tsx';
import { Card } from '../../parts/page.tsx';
import { Duration, Time } from '../../parts/time.tsx';
import { en } from '../../text/en/run.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { visible } from './ansi.ts';
import { goesOn } from './going-on.ts';

/** The way from what asked for the run to its result, with the time between the steps. */
export function Timeline({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const { steps, state } = run;
  const last = steps.at(-1);
  return (
    <Card title={text.timeline}>
      {steps.length === 0 && !goesOn(state) ? <p class="quiet">{text.noSteps}</p> : null}
      <ol class="steps">
        {steps.map((step, place) => (
          <Step key={`${step.kind} ${step.at}`} step={step} before={steps[place - 1]} run={run} />
        ))}
        {goesOn(state) ? (
          <li class={`step is-${RUN_LOOK[state].tone}`}>
            <Icon name={RUN_LOOK[state].icon} turning={state === 'running'} />
            <div class="step-body">
              <strong>{text.goesOn[state]}</strong>
              <span class="step-time">{last === undefined ? null : <Duration from={last.at} />}</span>
            </div>
          </li>
        ) : null}
      </ol>
    </Card>
  );
}

function Step(props: { step: RunStep; before: RunStep | undefined; run: RunDetail }) {
  const { step, before, run } = props;
  const text = useText({ en, fr });
  const format = useFormat();
  const { tone, icon } = lookOf(step, run.state);
  const between = before === undefined ? null : Math.max(0, Date.parse(step.at) - Date.parse(before.at));
  return (
    <li class={`step is-${tone}`}>
      <Icon name={icon} />
      <div class="step-body">
        <strong>{text.step[step.kind]}</strong>
        {step.by === null ? null : <span>{text.by(visible(step.by))}</span>}
        {step.attempt !== null && (step.attempt > 1 || run.attempt > 1) ? (
          <span class="quiet">{text.attempt(step.attempt)}</span>
        ) : null}
        <span class="step-time">
          <Time at={step.at} clock />
          {between === null ? null : <span class="quiet"> {text.after(format.duration(between))}</span>}
        </span>
        {step.message === null ? null : <span class="step-message">{visible(step.message)}</span>}
      </div>
    </li>
  );
}

const STEP_ICON: Readonly<Record<RunStep['kind'], IconName>> = {
  asked: 'person',
  sent: 'arrow',
  acknowledged: 'check',
  refused: 'revoked',
  expired: 'waiting',
  started: 'runs',
  retried: 'undo',
  cancel_asked: 'close',
  ended: 'ready',
  reported: 'download',
};

function lookOf({ kind }: RunStep, state: ConsoleRunState): { tone: Tone; icon: IconName } {
  if (kind === 'ended') return RUN_LOOK[state];
  if (kind === 'refused') return { tone: 'bad', icon: STEP_ICON.refused };
  if (kind === 'expired' || kind === 'retried') return { tone: 'warn', icon: STEP_ICON[kind] };
  return { tone: 'none', icon: STEP_ICON[kind] };
}
