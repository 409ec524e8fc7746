import type { ZodType } from 'zod';
import type { DocumentPath } from './text-position.ts';

/** What of a zod definition is read here: the parts that lead from an object to its keys. */
interface Definition {
  readonly type: string;
  readonly innerType?: ZodType;
  readonly in?: ZodType;
  readonly element?: ZodType;
  readonly valueType?: ZodType;
  readonly shape?: Readonly<Record<string, ZodType>>;
  readonly options?: readonly ZodType[];
  readonly discriminator?: string;
  /** Of a literal. */
  readonly values?: readonly unknown[];
}

/** The keys a schema takes in the object at a path of the value; empty where any key is taken. */
export function keysAt(schema: ZodType, value: unknown, path: DocumentPath): string[] {
  let candidates = objectsOf(schema, value);
  let found = value;
  for (const segment of path) {
    found = isRecord(found) ? found[segment as string] : undefined;
    candidates = candidates.flatMap((candidate) => {
      const { shape, element, valueType } = definitionOf(candidate);
      const next = shape?.[segment as string] ?? element ?? valueType;
      return next === undefined ? [] : objectsOf(next, found);
    });
  }
  return [...new Set(candidates.flatMap((candidate) => Object.keys(definitionOf(candidate).shape ?? {})))];
}

/** Below defaults, options and pipes: the object, list or record schemas that could take the value. */
function objectsOf(schema: ZodType, value: unknown): ZodType[] {
  const { innerType, in: input, options, discriminator } = definitionOf(schema);
  if (innerType !== undefined) return objectsOf(innerType, value);
  if (input !== undefined) return objectsOf(input, value);
  if (options === undefined) return [schema];
  const all = options.flatMap((option) => objectsOf(option, value));
  if (discriminator === undefined || !isRecord(value)) return all;
  const meant = all.filter((option) => {
    const field = definitionOf(option).shape?.[discriminator];
    return field !== undefined && definitionOf(field).values?.includes(value[discriminator]) === true;
  });
  return meant.length > 0 ? meant : all;
}

function definitionOf(schema: ZodType): Definition {
  return schema.def;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
