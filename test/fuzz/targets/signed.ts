import { createPrivateKey, sign } from 'node:crypto';
import { readEnrolmentToken } from '../../../agent/enrolment-token.ts';
import { OperationError } from '../../../agent/operation-error.ts';
import { Command } from '../../../schemas/command.ts';
import { EnrolAnswer, EnrolmentToken } from '../../../schemas/enrolment.ts';
import type { PrivateJwk } from '../../../schemas/jws.ts';
import { ReleaseStatement } from '../../../schemas/release.ts';
import { Root } from '../../../schemas/root.ts';
import { statementHints } from '../../../sources/http/statement-hints.ts';
import { createCommandVerifier } from '../../../trust/command-verifier.ts';
import { readSignedDocument, validSigners } from '../../../trust/jws.ts';
import { EMPTY_TRUST_MEMORY } from '../../../trust/memory.ts';
import { readStatement } from '../../../trust/release-statement.ts';
import { verifyRequestToken } from '../../../trust/request-token.ts';
import { parseRoot } from '../../../trust/root.ts';
import { parseStrictJson } from '../../../trust/strict-json.ts';
import { thumbprint } from '../../../trust/thumbprint.ts';
import { check, checkMessage, checkSame, expectingOnly } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

/** RFC 8037, appendix A.1: the same key at every run, so that a kept input stays signed. */
const KEY: PrivateJwk = {
  kty: 'OKP',
  crv: 'Ed25519',
  d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
};
const { kty, crv, x } = KEY;
const PUBLIC = { kty, crv, x };
const KID = thumbprint(PUBLIC);
const PRIVATE = createPrivateKey({ key: { ...KEY }, format: 'jwk' });
const KEYS = new Map([[KID, PUBLIC]]);
const SHA = 'ab'.repeat(32);
const NOW = new Date('2026-11-20T12:00:00Z');
const SECONDS = NOW.getTime() / 1_000;

const base64url = (text: string | Uint8Array) => Buffer.from(text as string).toString('base64url');
const signed = (input: string) => base64url(sign(null, Buffer.from(input), PRIVATE));

/** A compact JWS of whatever payload. */
const compact = (header: unknown) => (payload: Buffer) => {
  const input = `${base64url(JSON.stringify(header))}.${base64url(payload)}`;
  return Buffer.from(`${input}.${signed(input)}`);
};
/** A signed document of the contract, of whatever payload. */
const general = (typ: string) => (payload: Buffer) => {
  const header = base64url(JSON.stringify({ alg: 'Ed25519', kid: KID, typ }));
  const signature = signed(`${header}.${base64url(payload)}`);
  return Buffer.from(
    JSON.stringify({ payload: base64url(payload), signatures: [{ protected: header, signature }] }),
  );
};

const statement = {
  type: 'edgeflows-release/v1',
  tenant: 'acme',
  seq: 7,
  issued: '2026-11-20T12:00:00Z',
  expires: '2027-02-20T12:00:00Z',
  root_version: 1,
  version: 'v1.0.7',
  min_agent: '0.1.0',
  manifest: { sha256: SHA, length: 210 },
  policy: { sha256: SHA, length: 64 },
};
const role = { keyids: [KID], threshold: 1 };
const root = {
  type: 'edgeflows-root/v1',
  version: 1,
  expires: '2030-01-01T00:00:00Z',
  keys: { [KID]: PUBLIC },
  roles: { root: role, release: role, trigger: role, agent: role },
};
const command = {
  command_id: 'c-1',
  tenant: 'acme',
  agent_id: 'agent-1',
  issued: '2026-11-20T12:00:00Z',
  expires: '2026-11-20T12:05:00Z',
};
const commands = [
  {
    ...command,
    action: 'run',
    run_id: 'r-1',
    flow: 'login',
    version: 'v1',
    inputs: { a: [1] },
    timeout: '5m',
  },
  { ...command, action: 'cancel', run_id: 'r-1' },
  { ...command, action: 'suspend', reason: 'a fair', until: '2026-11-21T12:00:00Z' },
  { ...command, action: 'rollback', flow: 'login' },
];
const claims = {
  iss: 'agent-1',
  sub: 'agent-1',
  aud: 'https://console.example',
  htm: 'POST',
  htu: 'https://console.example/edge/notify',
  iat: SECONDS,
  exp: SECONDS + 60,
  jti: 'j-1',
  boot: 'b',
  machine: 'm',
  host: 'h',
  os: 'linux',
};
const token = {
  tenant: 'acme',
  saas_url: 'https://console.example',
  root_sha256: SHA,
  exp: SECONDS,
  jti: 'j-2',
};
const answer = {
  agent_id: 'a',
  tenant: 'acme',
  git: { url: 'https://git.example/a.git', token: 'secret' },
  root: '{}',
  tunnel_url: 'wss://console.example/edge/tunnel',
  artifacts: {
    allow: ['https://a.example/'],
    endpoint: 'https://a.example',
    access_key: 'a',
    secret_key: 'b',
  },
};
const JSON_REPEATS = [
  '[',
  '{"a":',
  '"',
  '\\',
  '"a":1,',
  '\\u0061',
  '{',
  '}',
  ':',
  ',',
  ' ',
  '0',
  '{"a":[',
  '{"":0,"',
  'é',
];
const JWS_WORDS = [
  'payload',
  'signatures',
  'protected',
  'signature',
  'header',
  'alg',
  'none',
  'HS256',
  'kid',
  'crit',
  'b64',
  'jku',
  'x5c',
  'jwk',
  '=',
  '.',
  '+',
  '/',
];

const checkRefusal = (refused: { readonly code: string; readonly message: string }) => {
  check(/^[a-z\d_]{3,40}$/.test(refused.code), `expected a code, found ${JSON.stringify(refused.code)}`);
  checkMessage(refused.message);
};

const verifier = createCommandVerifier({
  pinnedRoot: general('edgeflows-root+jws')(Buffer.from(JSON.stringify(root))).toString('utf8'),
  tenant: 'acme',
});

async function checkDocument(bytes: Buffer, typ: 'edgeflows-release+jws' | 'edgeflows-root+jws') {
  const document = readSignedDocument(bytes, 'document', typ);
  if (document.kind === 'refused') {
    checkRefusal(document);
    return null;
  }
  // Two readers see the same: what is believed is what JSON says.
  const { payload } = JSON.parse(bytes.toString('utf8')) as { payload: string };
  checkSame(base64url(document.payload), payload, 'the payload in its one form');
  const signers = await validSigners(document, KEYS);
  check(signers.size <= 1, `expected the one key at most, found ${signers.size}`);
  return document;
}

export const signedTargets: readonly FuzzTarget[] = [
  {
    name: 'strict-json',
    shape: 'json',
    seeds: [JSON.stringify(root), JSON.stringify(commands), '{"a":{"b":[1,2.5e3,"\\u0061\\n",null,true]}}'],
    words: ['"a":1', '"\\u0061":2', '{"__proto__":1}'],
    repeats: JSON_REPEATS,
    read(bytes) {
      const json = parseStrictJson(bytes);
      if (json.kind === 'malformed') checkMessage(json.message);
      // What is strict is JSON for everybody, and says the same.
      else checkSame(json.value, JSON.parse(bytes.toString('utf8')), 'strict JSON');
    },
  },
  {
    name: 'release',
    shape: 'json',
    seeds: [general('edgeflows-release+jws')(Buffer.from(JSON.stringify(statement)))],
    words: JWS_WORDS,
    inside: {
      shape: 'json',
      seeds: [JSON.stringify(statement)],
      words: Object.keys(statement),
      close: general('edgeflows-release+jws'),
    },
    repeats: JSON_REPEATS,
    async read(bytes) {
      const hints = statementHints(bytes);
      check(
        hints === null || hints.rootVersion === null || typeof hints.rootVersion === 'number',
        'expected hints',
      );
      const document = await checkDocument(bytes, 'edgeflows-release+jws');
      if (document === null) return;
      const read = readStatement(document.payload, 'document');
      if (read.kind === 'refused') checkRefusal(read);
      else check(ReleaseStatement.safeParse(read.statement).success, 'expected a statement of the schema');
    },
  },
  {
    name: 'root',
    shape: 'json',
    seeds: [general('edgeflows-root+jws')(Buffer.from(JSON.stringify(root)))],
    words: JWS_WORDS,
    inside: {
      shape: 'json',
      seeds: [JSON.stringify(root)],
      words: ['keys', 'roles', 'keyids', 'threshold', 'd', 'kid', KID],
      close: general('edgeflows-root+jws'),
    },
    repeats: JSON_REPEATS,
    async read(bytes) {
      const document = await checkDocument(bytes, 'edgeflows-root+jws');
      if (document === null) return;
      const read = parseRoot(document.payload, 'document');
      if (read.kind === 'refused') checkRefusal(read);
      else check(Root.safeParse(read.root).success, 'expected a root of the schema');
    },
  },
  {
    name: 'command',
    shape: 'text',
    seeds: [
      compact({ alg: 'Ed25519', kid: KID, typ: 'edgeflows-command+jws' })(
        Buffer.from(JSON.stringify(commands[0])),
      ),
    ],
    words: JWS_WORDS,
    inside: {
      shape: 'json',
      seeds: commands.map((one) => JSON.stringify(one)),
      words: ['action', 'run', 'inputs', 'until', 'issued', 'expires', 'agent_id'],
      close: compact({ alg: 'Ed25519', kid: KID, typ: 'edgeflows-command+jws' }),
    },
    repeats: [...JSON_REPEATS, '.', 'e', 'eyJh'],
    async read(bytes) {
      const at = {
        memory: EMPTY_TRUST_MEMORY,
        now: NOW,
        agentId: 'agent-1',
        stateSince: new Date('2026-01-01T00:00:00Z'),
      };
      const verdict = await verifier.verify(bytes.toString('utf8'), at);
      if (verdict.kind === 'refused') checkRefusal(verdict);
      else {
        check(verdict.kid === KID, 'expected the key that signed');
        check(
          verdict.command.tenant === 'acme' &&
            Command.options.some((one) => one.shape.action.value === verdict.command.action),
          'expected a command of the schema',
        );
      }
    },
  },
  {
    name: 'request-token',
    shape: 'text',
    seeds: [compact({ alg: 'Ed25519', typ: 'edge-agent+jwt' })(Buffer.from(JSON.stringify(claims)))],
    words: JWS_WORDS,
    inside: {
      shape: 'json',
      seeds: [JSON.stringify(claims)],
      words: Object.keys(claims),
      close: compact({ alg: 'Ed25519', typ: 'edge-agent+jwt' }),
    },
    repeats: ['.', 'e', 'eyJh', '[', ' '],
    async read(bytes) {
      const verdict = await verifyRequestToken({
        token: bytes.toString('utf8'),
        method: 'POST',
        url: 'https://console.example/edge/notify?a=1',
        now: NOW,
        findKey: (issuer) => (issuer === 'agent-1' ? PUBLIC : null),
        takeOnce: () => true,
      });
      if (verdict.kind === 'refused') checkRefusal(verdict);
      else {
        checkSame(
          [verdict.claims.iss, verdict.claims.sub, verdict.claims.htm],
          ['agent-1', 'agent-1', 'POST'],
          'the claims',
        );
        check(Math.abs(verdict.claims.iat - SECONDS) <= 360, 'expected a token of now');
      }
    },
  },
  {
    name: 'enrolment-token',
    shape: 'text',
    seeds: [compact({ alg: 'HS256', typ: 'edge-enrolment+jwt' })(Buffer.from(JSON.stringify(token)))],
    words: JWS_WORDS,
    inside: {
      shape: 'json',
      seeds: [JSON.stringify(token)],
      words: Object.keys(token),
      close: compact({ alg: 'HS256', typ: 'edge-enrolment+jwt' }),
    },
    repeats: ['.', 'e', 'eyJh', ' ', '\n'],
    read(bytes) {
      const read = expectingOnly([OperationError], () => readEnrolmentToken(bytes.toString('utf8')));
      if (read !== undefined)
        check(EnrolmentToken.safeParse(read.claims).success, 'expected a token of the schema');
    },
  },
  {
    name: 'enrolment-answer',
    shape: 'json',
    seeds: [JSON.stringify(answer)],
    words: ['git', 'root', 'artifacts', 'allow', 'tunnel_url', 'http://127.0.0.1', 'javascript:', 'file:///'],
    repeats: JSON_REPEATS,
    read(bytes) {
      let value: unknown;
      try {
        value = JSON.parse(bytes.toString('utf8'));
      } catch {
        return;
      }
      const parsed = EnrolAnswer.safeParse(value);
      if (!parsed.success) return;
      const { protocol, hostname } = new URL(parsed.data.git.url);
      check(
        protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname),
        `expected https, found ${protocol}`,
      );
    },
  },
];
