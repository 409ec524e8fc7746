import { useLocation, useSearch } from 'wouter-preact';
import { useFormat } from '../text/format.ts';
import { Link } from './link.tsx';

export interface Tab {
  readonly id: string;
  readonly title: string;
  readonly count?: number;
}

/** Parts of one page, kept in the address (`?tab=`; the first needs none): links, so that each can be opened and sent. */
export function Tabs(props: { label: string; tabs: readonly Tab[]; shown: string }) {
  const format = useFormat();
  const [path] = useLocation();
  const tenant = new URLSearchParams(useSearch()).get('tenant');
  return (
    <nav class="tabs" aria-label={props.label}>
      {props.tabs.map(({ id, title, count }, place) => (
        <Link
          key={id}
          class="tab"
          to={path}
          query={{ tenant, tab: place === 0 ? null : id }}
          aria-current={id === props.shown ? 'page' : undefined}
        >
          {title}
          {count === undefined ? null : <span class="tab-count">{format.number(count)}</span>}
        </Link>
      ))}
    </nav>
  );
}
