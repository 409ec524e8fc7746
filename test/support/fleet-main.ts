// A console with a made-up fleet on it, which stays up until Ctrl-C: something to look at while pages are made, and for pictures of them.
//
//   node test/support/fleet-main.ts --port 8090 --agents 60 --live
//   --seed 7       another fleet; the same seed is the same one
//   --host 0.0.0.0 for a phone in the same network
//   --keep <dir>   data that stays (edge-console serve --data <dir>/data opens it); otherwise it goes in the end
//   --json         one line of JSON when it is ready
import './hermetic.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PASSWORD, PEOPLE } from './fleet/people.ts';
import { startFleet } from './fleet.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    agents: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    live: { type: 'boolean', default: false },
    keep: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string) => void process.stderr.write(`${text}\n`);
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'fleet-'));
if (values.keep === undefined) process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const began = performance.now();
const fleet = await startFleet({
  folder,
  agents: Number(values.agents),
  port: Number(values.port),
  host: values.host,
  seed: Number(values.seed),
  live: values.live,
  say,
});
const { url, apiKey } = fleet;
const logins = PEOPLE.filter(({ comes }) => comes).map(({ login }) => login);
say(`ready after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
if (values.json)
  process.stdout.write(`${JSON.stringify({ url, api_key: apiKey, folder, logins, password: PASSWORD })}\n`);
else
  process.stdout.write(`A console with ${fleet.machines.length} agents.

  address   ${url}
  sign in   ${logins.join(', ')}, all with the password: ${PASSWORD}
  API key   ${apiKey}
            (header X-Api-Key, admin of everything)
  data      ${folder}

Ctrl-C ends it.
`);
const { promise, resolve } = Promise.withResolvers<void>();
process.once('SIGINT', resolve).once('SIGTERM', resolve);
await promise;
await fleet[Symbol.asyncDispose]();
process.exit(0);
