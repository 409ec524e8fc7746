import { createHash, randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Agent, fetch as fetchThrough } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NAMED_SCHEMAS } from '../../console/openapi/named-schemas.ts';
import {
  addTenant,
  call,
  type EnrolledAgent,
  enrolAgent,
  eventChain,
  type RunningConsole,
  runReport,
  startConsole,
  statusOf,
} from './running-console.ts';

interface Operation {
  readonly operationId: string;
  readonly security: readonly Record<string, unknown>[];
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { readonly schema: object }> }
  >;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, object>;
    readonly securitySchemes: Record<string, unknown>;
  };
}

let running: RunningConsole;
let agent: EnrolledAgent;
let runId: string;
let document: Document;

beforeAll(async () => {
  running = await startConsole();
  await addTenant(running, 'acme');
  agent = await enrolAgent(running, 'acme');
  const post = async (path: string, body: unknown, headers = {}) =>
    call(agent, 'POST', running.url + path, body, headers);
  const report = runReport();
  runId = report.run_id;
  await post('/edge/notify', report, { 'idempotency-key': `${runId}.1` });
  await post('/edge/status', statusOf(agent));
  const log_id = randomUUID();
  const hash = (line: string) => createHash('sha256').update(line).digest('hex');
  await post('/edge/events', { log_id, events: eventChain(agent, log_id, 2, hash) });
  document = (await (await fetch(`${running.url}/api/openapi.json`)).json()) as Document;
});
afterAll(async () => running[Symbol.asyncDispose]());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

describe('the OpenAPI document', () => {
  it('has every address of the API, of the Builder and of agents', () => {
    const wanted = running.console.routes.filter(
      (route) =>
        /^\w+ \/(?:api|flows|edge)\b/.test(route) &&
        // the pages of people, which have the same address as nothing of the API
        route !== 'GET /flows/:tenant/:flow' &&
        !(route.startsWith('HEAD ') && running.console.routes.includes(route.replace('HEAD', 'GET'))),
    );
    expect(wanted.length).toBeGreaterThan(40);
    expect(wanted.filter((route) => !running.console.operations.has(route))).toEqual([]);
    expect(operations()).toHaveLength(running.console.operations.size);
  });

  it('is of one form: parameters of the path named, ids once, answers described, references that lead somewhere', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const faults: string[] = [];
    for (const { path, method, operation } of operations()) {
      const named = operation.parameters.filter((each) => each.in === 'path').map(({ name }) => name);
      if (named.join() !== Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name).join())
        faults.push(`${method} ${path}: path`);
      if (Object.keys(operation.responses).length < 2) faults.push(`${method} ${path}: answers`);
      if (Object.values(operation.responses).some(({ description }) => description === ''))
        faults.push(`${method} ${path}: words`);
      for (const name of operation.security.flatMap(Object.keys)) {
        if (!(name in document.components.securitySchemes)) faults.push(`${method} ${path}: ${name}`);
      }
    }
    const references = Array.from(JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g), ([, target]) =>
      String(target),
    );
    expect(references.length).toBeGreaterThan(50);
    for (const target of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(target)?.[1];
      if (name === undefined || !(name in document.components.schemas)) faults.push(target);
    }
    expect(faults).toEqual([]);
    expect(document.openapi).toBe('3.1.0');
  });

  it('asks for a session, and no key, where only a person can be meant', () => {
    expect(document.paths['/api/session/password']?.['put']?.security).toEqual([{ session: [], csrf: [] }]);
  });

  it('has schemas that are JSON Schema 2020-12', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const inside = JSON.parse(
      JSON.stringify(document.components.schemas).replaceAll('#/components/schemas/', '#/$defs/'),
    ) as object;
    // compiling follows every reference, each once
    ajv.addSchema({ $id: 'document', $defs: inside });
    for (const name of Object.keys(document.components.schemas)) {
      expect(() => ajv.compile({ $ref: `document#/$defs/${name}` })).not.toThrow();
    }
    const parts = operations().flatMap(({ operation }) => [
      ...operation.parameters.map(({ schema }) => schema),
      ...Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema),
      ...Object.values(operation.responses).flatMap(({ content = {} }) =>
        Object.values(content).map(({ schema }) => schema),
      ),
    ]);
    expect(parts.filter((schema) => ajv.validateSchema(schema) !== true)).toEqual([]);
  });

  it('knows the schemas of every file of schemas/console', async () => {
    const folder = join(import.meta.dirname, '../../schemas/console');
    const missing: string[] = [];
    for (const file of readdirSync(folder)) {
      // console.yaml is no part of the API
      if (file === 'settings.ts') continue;
      const module = (await import(join(folder, file))) as Record<string, unknown>;
      for (const [name, value] of Object.entries(module)) {
        const isNamed = /^[A-Z](?!\w*Query$)/.test(name) && value instanceof z.ZodType;
        if (isNamed && NAMED_SCHEMAS.get(name) !== value) missing.push(`${file}: ${name}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('says of every answer that can be read what it is', async () => {
    const ids: Record<string, string> = {
      id: agent.issuer,
      run_id: runId,
      tenant: 'acme',
      slug: 'acme',
      flow: 'invoice-bot',
    };
    const faults: string[] = [];
    let parsed = 0;
    // A connection that is kept may be closed by now: this process was busy with other things.
    const dispatcher = new Agent({ pipelining: 0 });
    for (const [route, { answers }] of running.console.operations) {
      const [method, url = ''] = route.split(' ');
      if (method !== 'GET' || !/^\/(?:api|flows)/.test(url) || url === '/api/live') continue;
      const path = url.replaceAll(/:(\w+)/g, (_whole, name: string) =>
        encodeURIComponent(ids[name] ?? 'none'),
      );
      const query =
        url === '/api/branch-exists' ? '?name=tenant/acme' : url.endsWith('/search') ? '?q=hello' : '';
      const headers = { 'x-api-key': running.apiKey };
      const answer = await fetchThrough(running.url + path + query, { dispatcher, headers });
      if (answer.status === 404) continue;
      const declared = answers[answer.status];
      if (declared === undefined) faults.push(`${route}: ${answer.status} ${await answer.text()}`);
      else if (declared instanceof z.ZodType) {
        const outcome = declared.safeParse(await answer.json());
        if (!outcome.success) faults.push(`${route}: ${z.prettifyError(outcome.error)}`);
        parsed += 1;
      } else await answer.body?.cancel();
    }
    await dispatcher.close();
    expect(faults).toEqual([]);
    expect(parsed).toBeGreaterThan(12);
  });
});

describe('the page to try it', () => {
  it('has a policy of its own, and only files that are its own', async () => {
    const page = await fetch(`${running.url}/api/docs`);
    const policy = String(page.headers.get('content-security-policy'));
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain('unsafe');
    const html = await page.text();
    expect(html).not.toMatch(/<script>|<style|style=|onload=/);
    for (const [, file] of html.matchAll(/(?:src|href)="(\/api\/docs\/[^"]+)"/g)) {
      const found = await fetch(running.url + String(file));
      expect([file, found.status, found.headers.get('x-content-type-options')]).toEqual([
        file,
        200,
        'nosniff',
      ]);
    }
    // the policy of everything else stays
    const other = await fetch(`${running.url}/api/openapi.json`);
    expect(other.headers.get('content-security-policy')).toContain(
      "default-src 'none'; frame-ancestors 'none'",
    );
    for (const name of ['package.json', '..%2Findex.html', 'constructor']) {
      expect((await fetch(`${running.url}/api/docs/${name}`)).status).toBe(404);
    }
  });
});
