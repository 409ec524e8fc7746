import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRequirements } from '../../../executors/requirements.ts';
import { Current } from '../../../schemas/current.ts';
import { openingOf } from '../../../sinks/event-recovery.ts';
import { verifyEventLog } from '../../../sinks/event-verify.ts';
import { createPointer, PointerError } from '../../../store/pointer.ts';
import { TrustStateError } from '../../../trust/memory.ts';
import { createCredentialsTrustFile, TRUST_STATE_FILE } from '../../../trust/trust-state-file.ts';
import { check, checkMessage, checkSame, expectingOnly, expectingOnlyAsync } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

const folder = mkdtempSync(join(tmpdir(), 'fuzz-state-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const SHA = 'ab'.repeat(32);
const active = {
  version: 'v1',
  sha256: SHA,
  path: 'v1',
  revision: `tenant/acme@sha1:${'0'.repeat(40)}`,
  activated_at: '2026-11-20T12:00:00.000Z',
  previous: null,
  held: null,
};
const current = {
  format: 1,
  seq: { keys: SHA, value: 7 },
  revision: `tenant/acme@sha1:${'0'.repeat(40)}`,
  flows: {
    default: active,
    login: {
      ...active,
      path: 'flows/login/v1',
      previous: { version: 'v0', sha256: SHA, path: 'flows/login/v0' },
    },
  },
};
const JSON_REPEATS = ['[', '{"a":', '"', '\\', '"a":1,', '{', ' ', '0'];

/** A chain of events as the log writes it. */
function chain(count: number): string {
  let prev = '0'.repeat(64);
  let text = '';
  for (let seq = 1; seq <= count; seq += 1) {
    const line = JSON.stringify({
      seq,
      log_id: 'log-1',
      prev,
      time: '2026-11-20T12:00:00.000Z',
      severity: 'info',
      reason: 'AgentStarted',
      message: `event ${seq}`,
      tenant: 'acme',
      agent_id: null,
    });
    text += `${line}\n`;
    prev = createHash('sha256').update(line).digest('hex');
  }
  return text;
}

const HASHES = `--hash=sha256:${SHA}`;
const LOCK = `# made by uv\nrequests==2.32.3 \\\n    ${HASHES} \\\n    ${HASHES}\n    # via -r requirements.in\nPlaywright[x]==1.50.0 ; python_version >= "3.11" ${HASHES}\n--only-binary :all:\n`;

export const stateTargets: readonly FuzzTarget[] = [
  {
    name: 'current-json',
    shape: 'json',
    seeds: [JSON.stringify(current, null, 2)],
    words: ['flows', 'seq', 'previous', 'path', '../..', 'revision', 'held'],
    repeats: JSON_REPEATS,
    read(bytes) {
      const path = join(folder, 'current.json');
      writeFileSync(path, bytes);
      const pointer = createPointer(path, {
        read: () => undefined,
        write: () => undefined,
        transaction: (work: () => void) => work(),
      } as never);
      const read = expectingOnly([PointerError], () => pointer.current());
      if (read === undefined) return;
      check(Current.safeParse(read).success, 'expected a pointer of the schema');
      for (const { path: place } of Object.values(read.flows))
        check(
          !place.includes('..') || /[^/]\.\.|\.\.[^/]/.test(place),
          `expected a place inside, found ${place}`,
        );
    },
  },
  {
    name: 'trust-state',
    shape: 'json',
    seeds: [
      JSON.stringify({
        format: 1,
        roots: [{ version: 1, payload_sha256: SHA, document: '{}' }],
        seq: [{ keys: SHA, value: 7, payload_sha256: SHA }],
        latest_issued: '2026-11-20T12:00:00Z',
        signed_seen: true,
      }),
      JSON.stringify({ format: 1, roots: [], seq: [], latest_issued: null, signed_seen: false }),
    ],
    words: ['roots', 'seq', 'latest_issued', 'format', 'value'],
    repeats: JSON_REPEATS,
    async read(bytes) {
      writeFileSync(join(folder, TRUST_STATE_FILE), bytes);
      const memory = await expectingOnlyAsync([TrustStateError], () =>
        createCredentialsTrustFile(folder).load(),
      );
      if (memory !== undefined)
        for (const { value } of memory.seq)
          check(Number.isSafeInteger(value) && value >= 0, 'expected a sequence number');
    },
  },
  {
    name: 'event-log',
    shape: 'text',
    seeds: [chain(3), `${chain(2)}{"seq":3`, '\n\n', chain(1)],
    words: ['"seq":', '"prev":', '"log_id":', '\n', '0'.repeat(64)],
    repeats: ['\n', '{', '{}\n', 'a', '"', 'aaaaaaaaaa\n'],
    async read(bytes) {
      const directory = join(folder, 'events');
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory);
      writeFileSync(join(directory, 'events.jsonl'), bytes);
      const verdict = await verifyEventLog(directory);
      if (verdict.kind === 'broken') checkMessage(verdict.message);
      const opening = openingOf(directory, { log_id: 'log-1', seq: 3, prev: SHA }, 'acme/none');
      for (const finding of opening.findings) checkMessage(finding.message);
      // Nothing is lost: what was cut off lies beside it.
      const kept = readdirSync(directory).reduce(
        (sum, name) => sum + readFileSync(join(directory, name)).length,
        0,
      );
      check(kept >= bytes.length, `expected the ${bytes.length} bytes, found ${kept}`);
      // Once a whole log was put in order, nothing is unfinished any more.
      const isOurs = !opening.findings.some((finding) => finding.reason === 'DriftDetected');
      const again = openingOf(directory, null, 'acme/none');
      check(!isOurs || again.findings.length === 0, 'expected a log in order');
      if (verdict.kind === 'intact')
        checkSame(opening.head === null || opening.head.seq > 0, true, 'the head');
    },
  },
  {
    name: 'requirements-lock',
    shape: 'text',
    seeds: [LOCK, 'a==1 --hash=sha256:0', '-r other.txt\n', '--index-url https://packages.example/simple\n'],
    words: [
      '==',
      '===',
      '--hash=',
      ' ;',
      '\\\n',
      '#',
      '[',
      ']',
      ' @ ',
      'https://',
      '-e .',
      '-r ',
      '--extra-index-url',
      'sha256:',
      HASHES,
      '\r',
    ],
    repeats: ['a==1 ', ' ', '\\\n', '#', '\\ ', ' #', '--hash=', '[', ';', '\t', '\r', ' --hash=a', '='],
    async read(bytes) {
      const place = join(folder, 'bundle');
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, 'requirements.lock'), bytes);
      const read = await readRequirements(place);
      if (read === null) return;
      if (read.kind === 'stalled') {
        checkMessage(read.message);
        return;
      }
      for (const { name, version, line } of read.packages) {
        check(
          /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(name) && /^[A-Za-z0-9]/.test(version),
          `expected a name and a version, found ${name} ${version}`,
        );
        // What pip is given cannot be another option than a hash.
        check(
          !/[\r\n]/.test(line) && !/ -(?!-hash=sha)/.test(line),
          `expected a requirement, found ${JSON.stringify(line)}`,
        );
      }
      // Printed and read again it is the same.
      writeFileSync(join(place, 'requirements.lock'), read.packages.map(({ line }) => line).join('\n'));
      const again = await readRequirements(place);
      check(again !== null && again.kind === 'locked', 'expected what was printed to be read');
      checkSame(again.packages, read.packages, 'a lock printed again');
    },
  },
];
