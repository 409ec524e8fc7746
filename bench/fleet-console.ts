// A console with a fleet already enrolled, as a process of its own: `node fleet-console.ts <folder> <agents>`. Says its origin and a key of its API as one
// line of JSON, then a line of JSON with its own memory and processor time each time it reads a line.
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { createConsole } from '../console/server.ts';
import { openState } from '../console/state.ts';
import { createSystemClock } from '../system/clock.ts';
import { rootDocument } from '../test/console/running-console.ts';
import { newKey } from '../trust/ceremony/new-key.ts';
import { publicPart } from '../trust/thumbprint.ts';

const [folder = '', count = '0'] = process.argv.slice(2);
const clock = createSystemClock();
const dataDirectory = join(folder, 'data');
mkdirSync(folder, { recursive: true });
const limits = { strangerBurst: 1e6, strangerPerSecond: 1e6, agentBurst: 1e4 };
const server = await createConsole({
  dataDirectory,
  host: '127.0.0.1',
  port: 0,
  log: pino({ level: 'error' }, pino.destination({ dest: 2, sync: true })),
  clock,
  limits,
});
await server.admin.addTenant({ slug: 'acme', rootDocument: await rootDocument() });
const keys = Array.from({ length: Number(count) }, () => newKey());
const state = await openState(dataDirectory, clock);
await Promise.all(
  keys.map(async (jwk, index) =>
    state.agents.save(
      {
        agent_id: `agent-${index}`,
        tenant: 'acme',
        thumbprint: jwk.kid,
        device_jwk: publicPart(jwk),
        hostname: `pc-${index}`,
        os: 'linux',
        arch: 'x86_64',
        agent_version: '0.1.0',
        enrolled_at: clock.now().toISOString(),
      },
      `token-${index}`,
    ),
  ),
);
await state.close();
writeFileSync(join(folder, 'keys.json'), JSON.stringify(keys), { mode: 0o600 });
const url = await server.listen();
const apiKey = await server.admin.newApiKey('bench');
process.stdout.write(`${JSON.stringify({ url, apiKey })}\n`);
const lines = createInterface(process.stdin);
lines.on('line', () => {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  process.stdout.write(
    `${JSON.stringify({ rss: process.memoryUsage().rss, cpuMs: (user + system) / 1_000 })}\n`,
  );
});
await once(lines, 'close');
await server.close();
