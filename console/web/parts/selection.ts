/** What is chosen of a list whose pages the server makes: rows by id, or all that match the filter (and how many those were). */
export type Selection =
  | { readonly kind: 'rows'; readonly ids: ReadonlySet<string> }
  | { readonly kind: 'all'; readonly expected: number };

export const NOTHING_SELECTED: Selection = { kind: 'rows', ids: new Set() };

export function selectedCount(selection: Selection): number {
  return selection.kind === 'all' ? selection.expected : selection.ids.size;
}

export function isSelected(selection: Selection, id: string): boolean {
  return selection.kind === 'all' || selection.ids.has(id);
}

/** `page`: the ids that are on it; a row taken out of `all` leaves the others of the page. */
export function toggled(selection: Selection, id: string, page: readonly string[]): Selection {
  const ids = new Set(selection.kind === 'all' ? page : selection.ids);
  if (ids.has(id)) ids.delete(id);
  else ids.add(id);
  return { kind: 'rows', ids };
}

export function pageToggled(selection: Selection, page: readonly string[]): Selection {
  const all = page.every((id) => isSelected(selection, id));
  if (selection.kind === 'all') return NOTHING_SELECTED;
  const ids = new Set(selection.ids);
  for (const id of page) {
    if (all) ids.delete(id);
    else ids.add(id);
  }
  return { kind: 'rows', ids };
}
