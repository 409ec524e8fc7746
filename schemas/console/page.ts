import { z } from 'zod';
import { Slug } from '../names.ts';

/** Rows of one page, and where it begins: lists whose order the caller chooses are paged by offset, histories by id (`before`). */
const LIMIT_MAX = 500;
export const limit = z.coerce.number().int().min(1).max(LIMIT_MAX).default(100);
export const offset = z.coerce.number().int().min(0).max(1_000_000).default(0);
/** Id of a row: the page after has those before it. */
export const before = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional();

/** What people type into a search box: words that all have to occur, in any order, whatever their case. */
export const search = z.string().trim().max(200).optional();

export const order = z.enum(['asc', 'desc']).optional();

/** `a,b` or the parameter several times: one of them. */
export function oneOf<T extends z.ZodType<string, string>>(value: T) {
  return z
    .union([z.string(), z.array(z.string()).max(64)])
    .transform((found) =>
      [found]
        .flat()
        .flatMap((each) => each.split(','))
        .filter((each) => each !== ''),
    )
    .pipe(z.array(value).max(64))
    .optional();
}

/** Every address of an operator takes it, and it means the same: what is not that tenant's is not there. */
export const TenantQuery = z.strictObject({ tenant: Slug.optional() });
export type TenantQuery = z.infer<typeof TenantQuery>;
