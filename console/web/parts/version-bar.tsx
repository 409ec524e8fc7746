import type { FlowRow } from '../../../schemas/console/release.ts';
import { en } from '../text/en/flows.ts';
import { fr } from '../text/fr/flows.ts';
import { useText } from '../text/language.tsx';
import type { Tone } from './badge.tsx';
import { ProgressBar } from './progress.tsx';

/** Shades for the versions that are not the wanted one, so that neighbours can be told apart; the legend says which is which. */
const OTHERS: readonly Tone[] = ['busy', 'calm', 'warn'];
const NAMED = 3;

/** Which versions run on how many agents: the wanted one in green, the others beside it. */
export function VersionBar({ flow, legend = true }: { flow: FlowRow; legend?: boolean }) {
  const text = useText({ en, fr });
  const wanted = flow.versions.reduce<FlowRow['versions'][number] | null>(
    (most, each) => (each.desired > (most?.desired ?? 0) ? each : most),
    null,
  );
  const others = flow.versions.filter((each) => each !== wanted && each.active > 0);
  const shown = others.slice(0, NAMED);
  const named = ({ version, held }: FlowRow['versions'][number]) =>
    held === 0 ? `× ${version}` : `× ${version} (${text.held(held)})`;
  const rest = others.slice(NAMED).reduce((sum, { active }) => sum + active, 0);
  const shares = [
    ...(wanted === null ? [] : [{ tone: 'ok' as Tone, count: wanted.active, word: named(wanted) }]),
    ...shown.map((each, place) => ({
      tone: OTHERS[place] ?? 'none',
      count: each.active,
      word: named(each),
    })),
    ...(rest === 0 ? [] : [{ tone: 'none' as Tone, count: rest, word: text.more(others.length - NAMED) }]),
  ];
  return (
    <ProgressBar
      shares={shares}
      total={flow.agents}
      legend={legend}
      label={shares.map(({ word, count }) => `${count} ${word}`).join(', ')}
    />
  );
}
