import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Link } from './link.tsx';

export interface PageProps {
  /** Of the window, and the heading unless `heading` is given. */
  title: string;
  heading?: ComponentChildren;
  /** One sentence on what this is. */
  lead?: ComponentChildren;
  /** Pages above this one, from the top. */
  trail?: readonly { readonly to: string; readonly title: string }[];
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** Every page is one of these: its heading takes the focus when somebody comes from another page, its title is the window's. */
export function Page({ title, heading, lead, trail = [], actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Edge-Agent`;
  }, [title]);
  return (
    <div class="page">
      <header class="page-head">
        {trail.length === 0 ? null : (
          <nav class="trail" aria-label={title}>
            {trail.map((above, place) => (
              <>
                {place === 0 ? null : <span aria-hidden="true">/</span>}
                <Link to={above.to}>{above.title}</Link>
              </>
            ))}
          </nav>
        )}
        <h1 tabIndex={-1}>{heading ?? title}</h1>
        {actions === undefined ? null : <div class="page-actions">{actions}</div>}
        {lead === undefined ? null : <p class="page-lead">{lead}</p>}
      </header>
      {children}
    </div>
  );
}

/** A surface with a heading. */
export function Card(props: {
  title?: ComponentChildren;
  side?: ComponentChildren;
  flush?: boolean;
  children: ComponentChildren;
}) {
  return (
    <section class="card">
      {props.title === undefined ? null : (
        <header class="card-head">
          <h2>{props.title}</h2>
          {props.side === undefined ? null : <div class="line">{props.side}</div>}
        </header>
      )}
      {props.flush === true ? props.children : <div class="card-body">{props.children}</div>}
    </section>
  );
}

/** Names and what they are: `facts={[['Agent', 'a1']]}`. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}
