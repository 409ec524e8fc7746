// What somebody would write in an afternoon instead of a console: fastify takes a status, believes its token, and puts it into one row of SQLite,
// durable before the answer; `GET /statuses` gives all of them, and who asks filters. `node status-table-server.ts <folder> <agents>`; the keys are
// those of `<folder>/keys.json`. Speaks as fleet-console.ts does.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import Fastify from 'fastify';
import { importJWK, jwtVerify } from 'jose';
import type { PrivateJwk } from '../schemas/jws.ts';

const [folder = ''] = process.argv.slice(2);
const keys = JSON.parse(readFileSync(join(folder, 'keys.json'), 'utf8')) as PrivateJwk[];
const database = new DatabaseSync(join(folder, 'statuses.db'));
database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS statuses (agent_id TEXT PRIMARY KEY, body TEXT NOT NULL, received_at TEXT NOT NULL)`);
const put = database.prepare(
  `INSERT INTO statuses VALUES (?, ?, ?) ON CONFLICT (agent_id) DO UPDATE SET body = excluded.body, received_at = excluded.received_at`,
);
const all = database.prepare('SELECT body FROM statuses');

const app = Fastify({ bodyLimit: 4 * 1_024 * 1_024 });
app.post('/edge/status', async (request, reply) => {
  const token = request.headers.authorization?.slice('Bearer '.length) ?? '';
  const { iss = '' } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    iss?: string;
  };
  const jwk = keys[Number(iss.slice('agent-'.length))];
  if (jwk === undefined) return reply.code(401).send();
  const key = await importJWK({ kty: jwk.kty, crv: jwk.crv, x: jwk.x }, 'Ed25519');
  await jwtVerify(token, key, { issuer: iss, algorithms: ['Ed25519'] });
  put.run(iss, JSON.stringify(request.body), new Date().toISOString());
  return { stored: true };
});
app.get('/statuses', async (_request, reply) => {
  const rows = all.all() as { body: string }[];
  return reply.type('application/json').send(`[${rows.map(({ body }) => body).join(',')}]`);
});
await app.listen({ host: '127.0.0.1', port: 0 });
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
process.stdout.write(`${JSON.stringify({ url, apiKey: '' })}\n`);
const lines = createInterface(process.stdin);
lines.on('line', () => {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  process.stdout.write(
    `${JSON.stringify({ rss: process.memoryUsage().rss, cpuMs: (user + system) / 1_000 })}\n`,
  );
});
await once(lines, 'close');
await app.close();
