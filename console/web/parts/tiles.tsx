import type { Query } from '../api/client.ts';
import { useFormat } from '../text/format.ts';
import type { Tone } from './badge.tsx';
import { Icon, type IconName } from './icon.tsx';
import { Link } from './link.tsx';

export interface Tile {
  readonly id: string;
  readonly word: string;
  readonly count: number;
  readonly tone: Tone;
  readonly icon: IconName;
  readonly title?: string;
  /** Where a press leads; with `onPress` of the tiles it filters in place. */
  readonly to?: { readonly path: string; readonly query?: Query };
}

/** Counts that are ways to what they count: links, or (with `onPress`) filters of this page that can be taken back. */
export function Tiles(props: {
  label: string;
  tiles: readonly Tile[];
  pressed?: readonly string[];
  onPress?: (id: string) => void;
}) {
  const format = useFormat();
  return (
    <div class="tiles" role="group" aria-label={props.label}>
      {props.tiles.map((tile) => {
        const inside = (
          <>
            <span class="tile-count">{format.number(tile.count)}</span>
            <Icon name={tile.icon} size={20} />
            <span class="tile-word">{tile.word}</span>
          </>
        );
        const look = `tile is-${tile.tone}${tile.count === 0 ? ' is-zero' : ''}`;
        if (tile.to !== undefined)
          return (
            <Link key={tile.id} class={look} to={tile.to.path} query={tile.to.query} title={tile.title}>
              {inside}
            </Link>
          );
        return (
          <button
            key={tile.id}
            type="button"
            class={look}
            title={tile.title}
            aria-pressed={props.pressed?.includes(tile.id) === true}
            onClick={() => props.onPress?.(tile.id)}
          >
            {inside}
          </button>
        );
      })}
    </div>
  );
}
