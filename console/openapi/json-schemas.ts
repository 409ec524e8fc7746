import { z } from 'zod';

export type JsonSchema = { readonly [member: string]: unknown };

type Io = 'input' | 'output';

export interface JsonSchemas {
  /** `within` names the parts that refer to themselves. */
  of(schema: z.ZodType, io: Io, within: string): JsonSchema;
  /** The same with its members at the top, whether it has a name or not. */
  inline(schema: z.ZodType, io: Io, within: string): JsonSchema;
  /** What was referred to until now, by name. */
  components(): Readonly<Record<string, JsonSchema>>;
}

/**
 * Zod schemas as JSON Schema 2020-12, which is what OpenAPI 3.1 has. Those with a name become components that others refer to;
 * one that is sent otherwise than it is answered (a default may be left out) has two, the second called `<name>Input`.
 */
export function jsonSchemas(named: ReadonlyMap<string, z.ZodType>): JsonSchemas {
  const components: Record<string, JsonSchema> = {};
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of named) registry.add(schema, { id: name });
  const alike = new Set(
    [...named]
      .filter(
        ([, schema]) => JSON.stringify(plain(schema, 'input')) === JSON.stringify(plain(schema, 'output')),
      )
      .map(([name]) => name),
  );

  const of = (schema: z.ZodType, io: Io, within: string): JsonSchema => {
    const nameOf = (definition: string) => {
      if (definition.startsWith('__')) return `${within}${definition}_${io}`;
      return io === 'input' && !alike.has(definition) ? `${definition}Input` : definition;
    };
    const linked = (node: unknown): unknown => {
      if (Array.isArray(node)) return node.map(linked);
      if (typeof node !== 'object' || node === null) return node;
      return Object.fromEntries(
        Object.entries(node).map(([key, value]) =>
          key === '$ref' && typeof value === 'string' && value.startsWith('#/$defs/')
            ? [key, `${COMPONENTS}${nameOf(value.slice('#/$defs/'.length))}`]
            : [key, linked(value)],
        ),
      );
    };
    // In a wrapper, so that a schema with a name becomes a definition like any other.
    const made = plain(z.object({ it: schema }), io, registry);
    for (const [definition, { id: _id, ...node }] of Object.entries(made.$defs ?? {})) {
      components[nameOf(definition)] ??= linked(node) as JsonSchema;
    }
    return linked(made.properties?.['it']) as JsonSchema;
  };
  return {
    of,
    inline(schema, io, within) {
      const found = of(schema, io, within);
      const reference = found['$ref'];
      if (typeof reference !== 'string') return found;
      return components[reference.slice(COMPONENTS.length)] ?? {};
    },
    components: () => Object.fromEntries(Object.entries(components).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const COMPONENTS = '#/components/schemas/';

function plain(schema: z.ZodType, io: Io, metadata?: z.core.$ZodRegistry<{ id: string }>) {
  return z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    ...(metadata === undefined ? {} : { metadata }),
    override({ zodSchema, jsonSchema }) {
      const def = (zodSchema as z.core.$ZodType as z.ZodType).def as z.core.$ZodObjectDef;
      // Members may be added to an answer; who reads it must not take that for a fault.
      if (def.type === 'object' && def.catchall === undefined) delete jsonSchema.additionalProperties;
    },
  }) as { $defs?: Record<string, JsonSchema>; properties?: Record<string, JsonSchema> };
}
