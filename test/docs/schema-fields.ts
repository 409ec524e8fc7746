import { z } from 'zod';

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly default?: unknown;
}

export interface Field {
  /** Dotted, `[]` after an array: `flows[].health.timeout`. */
  readonly path: string;
  /** As a person writes it; null when there is none. */
  readonly default: unknown;
  readonly required: boolean;
}

/** Every member a document of the schema may have, as its JSON Schema names them. Members of records are not named. */
export function fieldsOf(schema: z.ZodType, io: 'input' | 'output'): Field[] {
  const fields = new Map<string, Field>();
  const visit = (node: Node, above: string) => {
    for (const choice of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) visit(choice, above);
    if (node.items !== undefined) visit(node.items, `${above}[]`);
    for (const [name, inner] of Object.entries(node.properties ?? {})) {
      const path = above === '' ? name : `${above}.${name}`;
      if (!fields.has(path)) {
        const required = node.required?.includes(name) === true;
        fields.set(path, { path, default: inner.default ?? null, required });
      }
      visit(inner, path);
    }
  };
  visit(z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Node, '');
  return [...fields.values()];
}
