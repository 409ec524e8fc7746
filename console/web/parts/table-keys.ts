/**
 * In the rows of a table: j and k (or the arrows) go from one to the next, x selects; Enter is the link's own. From elsewhere on
 * the page j goes to the first row. True: the key was for the table.
 */
export function moveInRows(key: string, from: HTMLElement): boolean {
  const row = from.closest('.table tbody tr');
  if (row === null) return key === 'j' && focusRow(document.querySelector('.table tbody tr'));
  if (key === 'x') {
    row.querySelector<HTMLInputElement>('.select-cell input')?.click();
    return true;
  }
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[key];
  if (step === undefined) return false;
  return focusRow(step === 1 ? row.nextElementSibling : row.previousElementSibling);
}

function focusRow(row: Element | null): boolean {
  // The box that selects it comes first in the row, and x is its key.
  const first =
    row?.querySelector<HTMLElement>('.row-link') ??
    row?.querySelector<HTMLElement>('a, button, input') ??
    null;
  first?.focus();
  return first !== null;
}
