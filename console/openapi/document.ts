import { z } from 'zod';
import { type JsonSchema, type JsonSchemas, jsonSchemas } from './json-schemas.ts';
import { NAMED_SCHEMAS } from './named-schemas.ts';
import type { OperationDeclaration, OperationRole } from './operation.ts';

export interface OpenApi {
  /** Notes an address when it is added to the server. */
  noted(method: string, url: string, declared: OperationDeclaration | undefined): void;
  /** What was declared, by `GET /api/agents/:id`. */
  readonly declared: ReadonlyMap<string, OperationDeclaration>;
  /** OpenAPI 3.1 of everything that was declared. Made once. */
  document(): OpenApiDocument;
}

interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly securitySchemes: unknown;
  };
  readonly [member: string]: unknown;
}

/** Of everything that was refused or went wrong. */
const Refusal = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const SESSION_OR_KEY = [{ api_key: [] }, { session: [], csrf: [] }];
const SECURITY: Readonly<Record<OperationRole, readonly unknown[]>> = {
  viewer: SESSION_OR_KEY,
  operator: SESSION_OR_KEY,
  admin: SESSION_OR_KEY,
  signed_in: [{ session: [], csrf: [] }],
  agent: [{ device: [] }],
  publisher: [{ tenant_token: [] }],
  reader: [{ tenant_token: [] }, { device: [] }],
  forge: [{ webhook: [] }],
  anybody: [],
};

const SCHEMES = {
  api_key: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Api-Key',
    description: 'A key of this console; `edge-console key new` or the page Settings makes one.',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: 'edge_console',
    description: 'Of somebody who has signed in (`__Host-edge_console` over HTTPS).',
  },
  csrf: {
    type: 'apiKey',
    in: 'header',
    name: 'X-CSRF-Token',
    description: 'Beside the session, for what changes something; from `GET /api/session`.',
  },
  device: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'Signed by the agent’s device key for this very request.',
  },
  tenant_token: { type: 'http', scheme: 'basic', description: 'The git or publisher token as the password.' },
  webhook: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Hub-Signature-256',
    description: 'Made with the tenant’s webhook secret; Gitea’s, Gogs’ and GitLab’s headers are taken too.',
  },
};

/** Collects what routes declare and makes the document of it. */
export function createOpenApi(about: {
  readonly version: string;
  /** Known once the console listens. */
  readonly publicUrl: () => string;
}): OpenApi {
  const declared = new Map<string, OperationDeclaration>();
  let made: OpenApiDocument | undefined;
  return {
    declared,
    noted(method, url, operation) {
      // The library adds a HEAD to every GET, which declares nothing of its own.
      if (operation === undefined || (method === 'HEAD' && declared.has(`GET ${url}`))) return;
      declared.set(`${method} ${url}`, operation);
      made = undefined;
    },
    document: () => (made ??= documentOf(declared, about.version, about.publicUrl())),
  };
}

function documentOf(
  declared: ReadonlyMap<string, OperationDeclaration>,
  version: string,
  url: string,
): OpenApiDocument {
  const schemas = jsonSchemas(new Map([...NAMED_SCHEMAS, ['Refusal', Refusal]]));
  const refusal = schemas.of(Refusal, 'output', 'Refusal');
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [route, operation] of [...declared].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [method = '', url = ''] = route.split(' ');
    const name = `${method.toLowerCase()}${url.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')}`;
    const path = url.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{path}');
    (paths[path] ??= {})[method.toLowerCase()] = {
      operationId: name,
      summary: operation.summary,
      ...(operation.description === undefined ? {} : { description: operation.description }),
      tags: operation.tags,
      'x-role': operation.role,
      security: SECURITY[operation.role],
      parameters: parametersOf(operation, path, schemas, name),
      ...bodyOf(operation, schemas, name),
      responses: {
        ...answersOf(operation, schemas, name),
        default: {
          description: 'Refused, or gone wrong: `code` is for programs, `message` for people.',
          content: { 'application/json': { schema: refusal } },
        },
      },
    };
  }
  const tags = [...new Set([...declared.values()].flatMap((operation) => operation.tags))].toSorted();
  return {
    openapi: '3.1.0',
    info: {
      title: 'Edge-Agent console',
      version,
      description:
        'What the console’s pages, the Builder and agents call. `x-role` is the role that is needed: viewer, operator, admin.',
    },
    servers: [{ url, description: 'This console' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: { schemas: schemas.components(), securitySchemes: SCHEMES },
  };
}

function parametersOf(
  operation: OperationDeclaration,
  path: string,
  schemas: JsonSchemas,
  name: string,
): readonly unknown[] {
  const members = (schema: z.ZodType | undefined) => {
    const object = schema === undefined ? {} : schemas.inline(schema, 'input', name);
    return {
      properties: object['properties'] as Record<string, JsonSchema> | undefined,
      required: object['required'],
    };
  };
  const inPath = members(operation.params).properties ?? {};
  const inQuery = members(operation.query);
  const required = new Set((inQuery.required ?? []) as string[]);
  return [
    ...Array.from(path.matchAll(/\{(\w+)\}/g), ([, each = '']) => ({
      name: each,
      in: 'path',
      required: true,
      schema: inPath[each] ?? { type: 'string' },
    })),
    ...Object.entries(inQuery.properties ?? {}).map(([each, schema]) => ({
      name: each,
      in: 'query',
      required: required.has(each),
      schema,
    })),
    ...Object.entries(operation.headers ?? {}).map(([each, description]) => ({
      name: each,
      in: 'header',
      required: false,
      description,
      schema: { type: 'string' },
    })),
  ];
}

function bodyOf(
  { body, bodyTypes = ['application/json'] }: OperationDeclaration,
  schemas: JsonSchemas,
  name: string,
) {
  if (body === undefined) return {};
  const schema = schemas.of(body, 'input', name);
  const anything = body.safeParse({}).success;
  const content = bodyTypes.map((type) => [
    type,
    { schema: type.endsWith('json') ? schema : { type: 'string' } },
  ]);
  return { requestBody: { required: !anything, content: Object.fromEntries(content) } };
}

function answersOf(
  { answers }: OperationDeclaration,
  schemas: JsonSchemas,
  name: string,
): Record<string, unknown> {
  const shown = Object.entries(answers).map(([status, answer]) => {
    if (answer instanceof z.ZodType) {
      const content = { 'application/json': { schema: schemas.of(answer, 'output', name) } };
      return [status, { description: 'Done.', content }];
    }
    const { description, type, schema, headers } = answer;
    const described = Object.entries(headers ?? {}).map(([header, text]) => [
      header,
      { description: text, schema: { type: 'string' } },
    ]);
    const body = schema === undefined ? { type: 'string' } : schemas.of(schema, 'output', name);
    return [
      status,
      {
        description,
        ...(headers === undefined ? {} : { headers: Object.fromEntries(described) }),
        ...(type === undefined ? {} : { content: { [type]: { schema: body } } }),
      },
    ];
  });
  return Object.fromEntries(shown) as Record<string, unknown>;
}
