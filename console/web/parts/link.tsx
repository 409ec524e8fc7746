import type { ComponentChildren, JSX } from 'preact';
import { Link as RouterLink } from 'wouter-preact';
import { type Query, queryText } from '../api/client.ts';
import { useParameter } from '../frame/address.ts';

export interface LinkProps extends Omit<JSX.IntrinsicElements['a'], 'href'> {
  /** A path of these pages, as `/agents`. */
  to: string;
  query?: Query;
  children: ComponentChildren;
}

/** To another page. The tenant that is looked at goes along, unless `query` names one (null: all). */
export function Link({ to, query = {}, children, ...rest }: LinkProps) {
  const tenant = useParameter('tenant');
  return (
    <RouterLink {...(rest as object)} href={to + queryText({ tenant, ...query })}>
      {children}
    </RouterLink>
  );
}
