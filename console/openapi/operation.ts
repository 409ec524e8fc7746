import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { notFound } from '../refusal.ts';
import { parseBody } from '../request-body.ts';
import { parseQuery } from '../request-query.ts';

/**
 * Who may call. `viewer`, `operator`, `admin`: a key or a session with that role; `signed_in`: with a session, which only people have. `agent`: a device key,
 * about itself. `publisher`, `reader`: credentials of the tenant. `forge`: the tenant's webhook secret. `anybody`: nothing is asked.
 */
export type OperationRole =
  | 'viewer'
  | 'operator'
  | 'admin'
  | 'signed_in'
  | 'agent'
  | 'publisher'
  | 'reader'
  | 'forge'
  | 'anybody';

/** An answer that is no JSON, has none, or has headers that count. `type`: its media type, absent for one without a body. */
interface PlainAnswer {
  readonly description: string;
  readonly type?: string;
  readonly schema?: z.ZodType;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What an address is: the document is made of it, and requests are parsed by it. */
export interface OperationDeclaration {
  /** One line, without a full stop. */
  readonly summary: string;
  /** More, in Markdown. */
  readonly description?: string;
  readonly tags: readonly [string, ...string[]];
  readonly role: OperationRole;
  readonly params?: z.ZodType;
  /** An object; what it does not name is refused when it is strict. */
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Of the body, where it is not JSON alone. */
  readonly bodyTypes?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** By status, those that are no error: every error has the one form. */
  readonly answers: Readonly<Record<number, z.ZodType | PlainAnswer>>;
}

type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined;
type Part<D, K extends string> = D extends Readonly<Record<K, infer T>> ? Parsed<T> : undefined;

export interface Operation<D extends OperationDeclaration> {
  /** Spread or given as the options of the route. */
  readonly route: { readonly config: { readonly operation: OperationDeclaration } };
  /**
   * What the request says, as declared. A path that names nothing possible is 404, a query 400 `query_invalid`, a body 422
   * `body_invalid` (an absent body is read as `{}` where the schema takes that).
   */
  read(request: FastifyRequest): {
    readonly params: Part<D, 'params'>;
    readonly query: Part<D, 'query'>;
    readonly body: Part<D, 'body'>;
  };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    operation?: OperationDeclaration;
  }
}

/** One thing for the document and for the handler: `app.get(url, LIST.route, async (request) => { LIST.read(request) })`. */
export function operation<const D extends OperationDeclaration>(declared: D): Operation<D> {
  return {
    route: { config: { operation: declared } },
    read: (request) => ({
      params: readParams(declared.params, request) as Part<D, 'params'>,
      query: (declared.query === undefined ? undefined : parseQuery(declared.query, request.query)) as Part<
        D,
        'query'
      >,
      body: (declared.body === undefined ? undefined : parseBody(declared.body, request.body ?? {})) as Part<
        D,
        'body'
      >,
    }),
  };
}

function readParams(schema: z.ZodType | undefined, request: FastifyRequest): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(request.params);
  if (parsed.success) return parsed.data;
  throw notFound('expected the address of something that is there, found none');
}
