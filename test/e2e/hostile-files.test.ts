import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { GIT_BUDGETS } from '../../sources/git/budgets.ts';
import { expectEnd, secretsIn } from '../support/hostile-git/attempts.ts';
import type { Lie } from '../support/hostile-git-server.ts';
import {
  createHostileWorld,
  type HostileWorld,
  type RunningAgent,
  SECRETS,
} from '../support/hostile-world.ts';
import {
  answering,
  endless,
  type Handler,
  type LoopbackServer,
  redirecting,
  startHttpServer,
} from '../support/http-server.ts';
import { helloBundle, manifestV1 } from '../support/world.ts';

// A guard against hanging, on a machine that does many other things.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** `source.kind: http`: a server of raw files that lies to the whole agent. */
type Files = Readonly<Record<string, string>>;
interface FileLie extends Pick<Lie, 'what' | 'exit' | 'code' | 'says'> {
  /** What is answered for a path, or null for the honest answer. `before` is the release that is active. */
  readonly tell: (path: string, files: { readonly now: Files; readonly before: Files }) => Handler | null;
}

let world: HostileWorld;
let agent: RunningAgent;
let server: LoopbackServer;
let elsewhere: LoopbackServer;
let now: Files = {};
let before: Files = {};
let lie: FileLie | null = null;
let releases = 0;

beforeAll(async () => {
  server = await startHttpServer();
  elsewhere = await startHttpServer();
  world = await createHostileWorld({ kind: 'http', url: server.origin });
  server.on('*', (request, response) => {
    const path = (request.url as string).replace('/raw/tenant/acme/', '');
    (lie?.tell(path, { now, before }) ?? honest(path))(request, response);
  });
  await publish();
  agent = await world.start();
  await settle();
});
afterAll(async () => {
  await agent?.stop();
  await world?.[Symbol.asyncDispose]();
  await Promise.all([server, elsewhere].map((one) => one?.[Symbol.asyncDispose]()));
});

async function publish() {
  releases += 1;
  before = now;
  const manifest = manifestV1(world, 'flow.tar.gz', helloBundle('still here'), { note: releases });
  await world.release(manifest, {
    version: 'v1',
    tamper: (files) => {
      now = { ...files };
    },
  });
}

/** The honest server: every file under the ETag "same", which says nothing. */
function honest(path: string): Handler {
  const text = now[path];
  return (request: IncomingMessage, response: ServerResponse) => {
    const tag = {
      etag: `"${createHash('sha256')
        .update(text ?? '')
        .digest('hex')}"`,
    };
    if (request.headers['if-none-match'] === tag.etag) response.writeHead(304, tag).end();
    else answering(text === undefined ? 404 : 200, text ?? '', tag)(request, response);
  };
}

async function settle() {
  const { answer } = await agent.attempt();
  expect(answer.problems).toEqual([]);
  const manifest = createHash('sha256')
    .update(now['manifest.json'] ?? '')
    .digest('hex');
  expect(answer.report.source.last_applied_revision).toBe(`tenant/acme@sha256:${manifest}`);
  return answer.exit_code;
}

const MIB = 1_048_576;
const manifest = (handler: Handler) => (path: string) => (path === 'manifest.json' ? handler : null);
const malformed = { exit: 5, code: 'source_malformed' } as const;
const tooLarge = { exit: 5, code: 'source_too_large' } as const;
const honestEtag = (text: string | undefined) =>
  `"${createHash('sha256')
    .update(text ?? '')
    .digest('hex')}"`;

const LIES: readonly FileLie[] = [
  { what: 'sends a manifest without end', ...tooLarge, tell: manifest(endless(65_536, 0)) },
  {
    what: 'breaks off inside the manifest',
    exit: 5,
    code: 'network',
    tell: manifest((_request, response) => {
      response.writeHead(200, { 'content-length': '500' });
      response.write('{"edge_url"', () => response.destroy());
    }),
  },
  {
    what: 'sends a bomb in gzip',
    ...malformed,
    tell: manifest((request, response) =>
      answering(200, gzipSync(Buffer.alloc(64 * MIB), { level: 1 }), { 'content-encoding': 'gzip' })(
        request,
        response,
      ),
    ),
  },
  {
    what: 'says "not modified" to whoever asks for the first time',
    exit: 5,
    code: 'server_error',
    tell: (path) => (path === 'agent-policy.yaml' ? answering(304) : null),
  },
  {
    what: 'changes to another protocol',
    ...malformed,
    tell: manifest(
      (request) =>
        void request.socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ),
  },
  { what: 'asks for a password', exit: 4, code: 'credentials_refused', tell: () => answering(401) },
  { what: 'has no manifest', exit: 4, code: 'branch_missing', tell: manifest(answering(404)) },
  {
    what: 'sends the agent elsewhere',
    exit: 5,
    code: 'redirect_refused',
    tell: () => (request, response) =>
      redirecting(`${elsewhere.origin}${request.url}`, 307)(request, response),
  },
  {
    what: 'shows a page instead of the manifest',
    exit: 3,
    code: 'manifest_mismatch',
    tell: manifest(answering(200, '<html>Sign in</html>')),
  },
  {
    what: 'has the manifest of this release and the statement of the last',
    exit: 3,
    code: 'manifest_mismatch',
    tell: (path, { before: last }) =>
      path === 'release.jws.json' ? answering(200, last['release.jws.json'] ?? '') : null,
  },
  {
    what: 'has the release before this one',
    exit: 0,
    code: null,
    tell: (path, { before: last }) => answering(last[path] === undefined ? 404 : 200, last[path] ?? ''),
  },
  {
    what: 'has no statement',
    exit: 3,
    code: 'release_missing',
    tell: (path) => (path === 'release.jws.json' ? answering(404) : null),
  },
  {
    what: 'gives another manifest the ETag of the honest one',
    exit: 3,
    code: 'manifest_mismatch',
    tell: (path, files) =>
      path === 'manifest.json' ? answering(200, '{"lie":1}', { etag: honestEtag(files.now[path]) }) : null,
  },
  {
    what: 'gives another statement the ETag of the honest one',
    exit: 3,
    code: 'document_malformed',
    tell: (path, files) =>
      path === 'release.jws.json'
        ? answering(200, 'no statement', { etag: honestEtag(files.now[path]) })
        : null,
  },
  {
    what: 'gives ETags of 24 KiB',
    exit: 0,
    code: null,
    tell: (path, files) =>
      answering(files.now[path] === undefined ? 404 : 200, files.now[path] ?? '', {
        etag: `"${'e'.repeat(24_000)}"`,
      }),
  },
  {
    what: 'has roots without end',
    ...tooLarge,
    tell: (path) => (path.startsWith('roots/') ? answering(200, Buffer.alloc(500_000, 'r')) : null),
  },
  {
    what: 'has a statement of 600 KiB',
    exit: 3,
    code: 'document_too_large',
    tell: (path) => (path === 'release.jws.json' ? answering(200, Buffer.alloc(600 * 1_024, 's')) : null),
  },
  {
    what: 'says the token in an error',
    exit: 5,
    code: 'redirect_refused',
    says: /\[redacted\]/,
    tell: () => answering(307, '', { location: `http://${SECRETS.gitToken}.example/` }),
  },
];

describe('a server of raw files that lies', () => {
  test.each(LIES)('$what', async (told) => {
    await publish();
    const neighbourhood = world.neighbourhood();
    lie = told;
    const { answer } = await agent.attempt();
    lie = null;
    expectEnd(answer, told);
    expect(agent.peakBytes()).toBeLessThan(GIT_BUDGETS.childMemoryBytes);
    expect(told.exit === 0 ? neighbourhood : world.neighbourhood()).toEqual(neighbourhood);
    expect(elsewhere.requests).toEqual([]);
    expect(server.requests.every(({ path }) => path.startsWith('/raw/tenant/acme/'))).toBe(true);
    expect(await settle()).toBe(0);
  });

  test('gets no secret into anything that is written', () => {
    expect(secretsIn(world, agent.daemon.output())).toEqual([]);
  });
});
