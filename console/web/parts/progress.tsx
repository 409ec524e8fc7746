import type { Tone } from './badge.tsx';

export interface Share {
  readonly tone: Tone;
  readonly count: number;
  readonly word: string;
}

/** A bar of shares, with a legend that says the same in words. */
export function ProgressBar(props: {
  shares: readonly Share[];
  total: number;
  label: string;
  legend?: boolean;
}) {
  const { shares, total, label, legend = false } = props;
  let x = 0;
  return (
    <div class="stack-small">
      <svg class="progress" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label={label}>
        {shares.map(({ tone, count, word }) => {
          const width = total === 0 ? 0 : (count / total) * 100;
          const bar = (
            <g key={word} class={`is-${tone}`}>
              <rect x={x} y={0} width={width} height={4} />
            </g>
          );
          x += width;
          return bar;
        })}
      </svg>
      {legend ? (
        <div class="legend">
          {shares
            .filter(({ count }) => count > 0)
            .map(({ tone, count, word }) => (
              <span key={word} class={`is-${tone}`}>
                <i aria-hidden="true" />
                {count} {word}
              </span>
            ))}
        </div>
      ) : null}
    </div>
  );
}

/** How something went over time: `points` from left to right, x and y in any unit. */
export function Sparkline({ points, label }: { points: readonly { x: number; y: number }[]; label: string }) {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  const width = Math.max(1, last.x - first.x);
  const height = Math.max(1, ...points.map(({ y }) => y));
  const at = ({ x, y }: { x: number; y: number }) =>
    `${(((x - first.x) / width) * 100).toFixed(2)} ${(38 - (y / height) * 36).toFixed(2)}`;
  const line = `M${points.map(at).join('L')}`;
  return (
    <svg class="sparkline" viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label={label}>
      <path class="sparkline-area" d={`${line}L100 40L0 40Z`} />
      <path d={line} />
    </svg>
  );
}
