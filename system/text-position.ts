/** Both from 1; columns are UTF-16 code units, as editors count them. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

export type DocumentPath = readonly PropertyKey[];

/** A value in a YAML or JSON text that knows where it and its children stand. Children are looked up lazily: aliases may be many. */
export interface PositionedNode {
  readonly offset: number;
  child(segment: PropertyKey): { readonly keyOffset: number | null; readonly value: PositionedNode } | null;
}

/** The offset of the value at a path, or of its key; when it is not there, of the deepest parent's key. */
export function locate(root: PositionedNode | null, path: DocumentPath, what: 'value' | 'key'): number {
  let node = root;
  let offset = root?.offset ?? 0;
  for (const [index, segment] of path.entries()) {
    const found = node?.child(segment) ?? null;
    if (found === null) return offset;
    node = found.value;
    const last = index === path.length - 1;
    offset = last && what === 'value' ? node.offset : (found.keyOffset ?? node.offset);
  }
  return offset;
}

export function positionAt(text: string, offset: number): TextPosition {
  let line = 1;
  let start = 0;
  for (let next = text.indexOf('\n'); next !== -1 && next < offset; next = text.indexOf('\n', start)) {
    line += 1;
    start = next + 1;
  }
  return { line, column: Math.max(0, Math.min(offset, text.length) - start) + 1 };
}
