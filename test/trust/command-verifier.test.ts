import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PublicJwk } from '../../schemas/jws.ts';
import { CommandRefusalCode } from '../../schemas/reasons.ts';
import { signCommand } from '../../trust/ceremony/command.ts';
import { serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { rotateRoot } from '../../trust/ceremony/root-draft.ts';
import { createCommandVerifier } from '../../trust/command-verifier.ts';
import { sha256Hex } from '../../trust/jws.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import { thumbprint } from '../../trust/thumbprint.ts';
import { AGENT, encode, goodHeader, rootWithTrigger, runCommand, signRaw } from './signed-commands.ts';
import { daysFromNow, EMPTY, NOW, release, signRoot } from './signed-files.ts';

const keys = await rootWithTrigger();
const STATE_SINCE = new Date(NOW.getTime() - 3_600_000);
const at = { memory: EMPTY, now: NOW, agentId: AGENT, stateSince: STATE_SINCE };
const verifier = createCommandVerifier({ pinnedRoot: keys.text, tenant: 'acme' });
const verify = (jws: string, changes: Partial<Parameters<typeof verifier.verify>[1]> = {}) =>
  verifier.verify(jws, { ...at, ...changes });
const good = await signCommand(runCommand(), keys.trigger);
const withHeader = (changes: Record<string, unknown>) =>
  signRaw({ ...goodHeader(keys.trigger), ...changes }, runCommand(), keys.trigger);
const withPayload = (payload: unknown) => signRaw(goodHeader(keys.trigger), payload, keys.trigger);
const later = (ms: number) => new Date(NOW.getTime() + ms).toISOString();

async function codeOf(jws: string, changes = {}): Promise<string> {
  const verdict = await verify(jws, changes);
  return verdict.kind === 'refused' ? verdict.code : 'verified';
}

describe('a command', () => {
  it('that a trigger key signed for this agent is believed, with its timeout in milliseconds', async () => {
    const jws = await signCommand(runCommand({ timeout: '5m', version: 'v1.0.7' }), keys.trigger);
    expect(await verify(jws)).toMatchObject({
      kind: 'verified',
      kid: thumbprint(keys.trigger),
      command: { command_id: 'c-1', action: 'run', flow: 'invoice-bot', timeout: 300_000 },
    });
  });

  it.each([
    { action: 'cancel', run_id: 'r-1' },
    { action: 'suspend', by: 'Ann', why: 'audit', until: later(60_000) },
    { action: 'resume', by: 'Ann' },
    { action: 'rollback', flow: 'invoice-bot', by: 'Ann', why: 'wrong totals' },
  ])('to $action is believed', async (members) => {
    const {
      run_id: _run,
      flow: _flow,
      inputs: _inputs,
      ...envelope
    } = runCommand() as Record<string, unknown>;
    expect(await codeOf(withPayload({ ...envelope, ...members }))).toBe('verified');
  });

  it('with a member that this agent does not know is believed: it may come from a newer console', async () => {
    expect(await codeOf(withPayload(runCommand({ priority: 3 })))).toBe('verified');
  });

  it('of exactly 64 KiB is taken, and of one byte more is not looked at', async () => {
    const sized = (filler: number) => withPayload(runCommand({ inputs: 'x'.repeat(filler) }));
    const room = 65_536 - sized(0).length;
    let filler = Math.floor((room * 3) / 4) - 2;
    while (sized(filler).length < 65_536) filler += 1;
    const whole = sized(filler).length === 65_536 ? filler : filler - 1;
    expect(await codeOf(sized(whole))).toBe('verified');
    expect(await codeOf(sized(whole + 3))).toBe('command_too_large');
  });

  it('that is larger than any agent takes is not signed', async () => {
    const inputs = { text: 'x'.repeat(50_000) };
    await expect(signCommand(runCommand({ inputs }), keys.trigger)).rejects.toThrow(
      /expected at most 65536 bytes once it is signed, found \d+; send less in inputs/,
    );
  });

  it('is refused before enrolment and without a root', async () => {
    expect(await codeOf(good, { agentId: null })).toBe('not_enrolled');
    const rootless = createCommandVerifier({ pinnedRoot: null, tenant: 'acme' });
    expect(await rootless.verify(good, at)).toMatchObject({ code: 'no_root', commandId: 'c-1' });
    const damaged = createCommandVerifier({ pinnedRoot: '{}', tenant: 'acme' });
    expect(await damaged.verify(good, at)).toMatchObject({ code: 'no_root' });
  });
});

describe('RFC 8725', () => {
  const publicBytes = Buffer.from(keys.trigger.x, 'base64url');

  it.each([
    'none',
    'None',
    'EdDSA',
    'ed25519',
    'Ed448',
    'HS256',
    'ES256',
    'RS256',
    '',
    0,
    null,
    undefined,
    ['Ed25519'],
  ])('3.1 Perform Algorithm Verification: takes no algorithm but Ed25519: %j', async (alg) => {
    expect(await codeOf(withHeader({ alg }))).toBe('alg_not_allowed');
  });

  it('3.1 Perform Algorithm Verification: does not take a public key for the secret of an HMAC', async () => {
    const input = `${encode({ ...goodHeader(keys.trigger), alg: 'HS256' })}.${encode(runCommand())}`;
    const mac = createHmac('sha256', publicBytes).update(input).digest('base64url');
    expect(await codeOf(`${input}.${mac}`)).toBe('alg_not_allowed');
  });

  it('3.2 Use Appropriate Algorithms: takes no unsecured JWS, and no signature of another length', async () => {
    const [header, payload, signature] = good.split('.') as [string, string, string];
    expect(await codeOf(`${encode({ alg: 'none' })}.${payload}.`)).toBe('alg_not_allowed');
    expect(await codeOf(`${header}.${payload}.`)).toBe('signature_invalid');
    const bytes = Buffer.from(signature, 'base64url');
    for (const other of [bytes.subarray(0, 63), Buffer.concat([bytes, Buffer.alloc(1)]), Buffer.alloc(64)]) {
      expect(await codeOf(`${header}.${payload}.${encode(other)}`)).toBe('signature_invalid');
    }
  });

  it('3.3 Validate All Cryptographic Operations: refuses the whole when the signature is of another payload, another header or another key', async () => {
    const [header, payload] = good.split('.') as [string, string];
    const other = withPayload(runCommand({ flow: 'payroll' })).split('.') as [string, string, string];
    expect(await codeOf(`${header}.${other[1]}.${good.split('.')[2]}`)).toBe('signature_invalid');
    expect(await codeOf(`${header}.${payload}.${other[2]}`)).toBe('signature_invalid');
    expect(await codeOf(signRaw(goodHeader(keys.trigger), runCommand(), newKey()))).toBe('signature_invalid');
  });

  it('3.4 Validate Cryptographic Inputs: refuses a signature whose number is not below the group order (RFC 8032, section 5.1.7)', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const [header, payload, signature] = good.split('.') as [string, string, string];
    const bytes = Buffer.from(signature, 'base64url');
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
    const malleable = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    const same = Buffer.concat([bytes.subarray(0, 32), malleable]);
    expect(await codeOf(`${header}.${payload}.${encode(same)}`)).toBe('signature_invalid');
  });

  it('3.4 Validate Cryptographic Inputs: believes nothing by a key that is no point of the curve', async () => {
    const noPoint = { ...newKey(), x: Buffer.from(`02${'00'.repeat(31)}`, 'hex').toString('base64url') };
    const { text } = await rootWithTrigger({ trigger: [noPoint] });
    const verdict = await createCommandVerifier({ pinnedRoot: text, tenant: 'acme' }).verify(
      signRaw(goodHeader(noPoint), runCommand(), keys.trigger),
      at,
    );
    expect(verdict).toMatchObject({ code: 'signature_invalid' });
  });

  it.each([{ zip: 'DEF' }, { crit: ['exp'], exp: 1 }, { b64: false, crit: ['b64'] }, { cty: 'jwt' }])(
    '3.6 Avoid Compression of Encryption Inputs: refuses compression and every other member of the header: %j',
    async (members) => {
      expect(await codeOf(withHeader(members))).toBe('header_malformed');
    },
  );

  it('3.7 Use UTF-8: takes nothing but UTF-8, without a byte order mark', async () => {
    const text = JSON.stringify(runCommand());
    for (const bytes of [
      Buffer.from(text, 'utf16le'),
      Buffer.from(`\ufeff${text}`),
      Buffer.from(text.replace('invoice', 'invo\u00efce'), 'latin1'),
    ]) {
      expect(await codeOf(withPayload(bytes))).toBe('payload_malformed');
    }
    const header = JSON.stringify(goodHeader(keys.trigger));
    expect(await codeOf(signRaw(Buffer.from(header, 'utf16le'), runCommand(), keys.trigger))).toBe(
      'header_malformed',
    );
  });

  it('3.8 Validate Issuer and Subject: takes only keys of the trigger role', async () => {
    const by = (key: typeof keys.trigger) => signRaw(goodHeader(key), runCommand(), key);
    expect(await codeOf(by(keys.release))).toBe('key_not_allowed');
    expect(await codeOf(by(keys.root))).toBe('key_not_allowed');
    expect(await codeOf(by(newKey()))).toBe('key_unknown');
    const none = createCommandVerifier({
      pinnedRoot: (await rootWithTrigger({ trigger: [] })).text,
      tenant: 'acme',
    });
    expect(await none.verify(good, at)).toMatchObject({ code: 'key_unknown' });
  });

  it('3.8 Validate Issuer and Subject: refuses a root that asks for more signatures than a command can carry', async () => {
    const trigger = [newKey(), newKey()];
    const { text } = await rootWithTrigger({ trigger, threshold: 2 });
    const [first] = trigger as [ReturnType<typeof newKey>];
    const jws = await signCommand(runCommand(), first);
    const verdict = await createCommandVerifier({ pinnedRoot: text, tenant: 'acme' }).verify(jws, at);
    expect(verdict).toMatchObject({ code: 'threshold_unsupported' });
  });

  it('3.9 Use and Validate Audience: refuses what is meant for another tenant or another agent', async () => {
    expect(await codeOf(withPayload(runCommand({ tenant: 'globex' })))).toBe('tenant_mismatch');
    expect(await codeOf(withPayload(runCommand({ agent_id: 'another' })))).toBe('agent_mismatch');
    expect(await codeOf(withPayload(runCommand({ agent_id: AGENT.toUpperCase() })))).toBe('agent_mismatch');
  });

  it.each(['jku', 'x5u', 'jwk', 'x5c', 'x5t', 'x5t#S256', 'url', 'nonce'])(
    '3.10 Do Not Trust Received Claims: looks up no key by the %s of a header',
    async (name) => {
      const { kty, crv, x } = keys.trigger;
      const value = name === 'jwk' ? { kty, crv, x } : 'https://keys.example/1';
      expect(await codeOf(withHeader({ [name]: value }))).toBe('header_malformed');
    },
  );

  it.each(["' OR 1=1 --", '../../etc/passwd', '__proto__', 'constructor', 42, null, undefined, {}])(
    '3.10 Do Not Trust Received Claims: looks up no key by a kid that is no thumbprint: %j',
    async (kid) => {
      expect(await codeOf(withHeader({ kid }))).toBe('header_malformed');
    },
  );

  it.each([
    'JWT',
    'edgeflows-release+jws',
    'edgeflows-root+jws',
    'application/edgeflows-command+jws',
    undefined,
  ])('3.11 Use Explicit Typing: takes no other typ: %j', async (typ) => {
    expect(await codeOf(withHeader({ typ }))).toBe('typ_mismatch');
  });

  it('3.12 Use Mutually Exclusive Validation Rules for Different Kinds of JWTs: takes no other document that the same key signed', async () => {
    const signed = JSON.parse(await release([keys.trigger])) as {
      payload: string;
      signatures: [{ protected: string; signature: string }];
    };
    const [{ protected: header, signature }] = signed.signatures;
    expect(await codeOf(`${header}.${signed.payload}.${signature}`)).toBe('typ_mismatch');
    const token = await signRequestToken({
      jwk: keys.trigger,
      issuer: AGENT,
      method: 'POST',
      url: 'https://saas.example/edge/status',
      now: NOW,
    });
    expect(await codeOf(token)).toBe('typ_mismatch');
  });

  it('3.4 Validate Cryptographic Inputs: believes nothing by a key of small order, for which anybody can make signatures', async () => {
    // The 8-torsion points, and what else decodes to them: their y, little-endian, with either sign. With the key 1 the equation
    // [S]B = R + [k]A of RFC 8032 holds for S = 1, R = B whatever the message.
    const orders = [
      `01${'00'.repeat(31)}`,
      '00'.repeat(32),
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    ];
    const forged = [
      Buffer.from(`01${'00'.repeat(63)}`, 'hex'),
      Buffer.from(`58${'66'.repeat(31)}01${'00'.repeat(31)}`, 'hex'),
    ];
    for (const y of orders) {
      for (const sign of [0x00, 0x80]) {
        const point = Buffer.from(y, 'hex');
        point[31] = (point[31] as number) | sign;
        const weak = { ...newKey(), x: point.toString('base64url') };
        const { text } = await rootWithTrigger({ trigger: [weak] });
        const verifier = createCommandVerifier({ pinnedRoot: text, tenant: 'acme' });
        // Most of these keys would take such a signature for some messages only: one in eight is enough.
        for (let flow = 0; flow < 16; flow += 1) {
          const input = `${encode(goodHeader(weak))}.${encode(runCommand({ flow: `f${flow}` }))}`;
          for (const signature of forged) {
            const verdict = await verifier.verify(`${input}.${encode(signature)}`, at);
            expect(verdict).toMatchObject({ code: 'signature_invalid' });
          }
        }
      }
    }
  });

  it('3.5 Ensure Cryptographic Keys Have Sufficient Entropy: has no place for a secret that somebody thought up', async () => {
    const oct = { kty: 'oct', k: encode(Buffer.from('correct horse battery staple')) };
    for (const key of [
      oct,
      { ...oct, crv: 'Ed25519' },
      { kty: 'OKP', crv: 'Ed25519', x: encode(Buffer.alloc(8)) },
    ]) {
      expect(PublicJwk.safeParse(key).success).toBe(false);
    }
    const made = Array.from({ length: 64 }, newKey).map(({ d }) => Buffer.from(d, 'base64url'));
    expect(new Set(made.map((seed) => seed.toString('hex'))).size).toBe(64);
    expect(made.every((seed) => seed.length === 32)).toBe(true);
    // Each of the 256 bits of a seed is both 0 and 1 somewhere among 64 keys: otherwise with a chance of 2^-55.
    for (let bit = 0; bit < 256; bit += 1) {
      const ones = made.filter((seed) => (((seed[bit >> 3] as number) >> (bit & 7)) & 1) === 1).length;
      expect(ones).toBeGreaterThan(0);
      expect(ones).toBeLessThan(64);
    }
  });

  it('is gone through section by section, 3.1 to 3.12', ({ task }) => {
    const titles = task.suite?.tasks.map(({ name }) => name) ?? [];
    for (let section = 1; section <= 12; section += 1) {
      expect(
        titles.filter((title) => title.startsWith(`3.${section} `)),
        `3.${section}`,
      ).not.toEqual([]);
    }
  });
});

describe('an envelope that two readers could read differently', () => {
  const [header, payload, signature] = good.split('.') as [string, string, string];

  it.each([
    ['no part', '', 'command_malformed'],
    ['two parts', `${header}.${payload}`, 'command_malformed'],
    ['five parts', `${header}.${payload}.${signature}.a.b`, 'command_malformed'],
    [
      'the JSON serialisation',
      JSON.stringify({ payload, protected: header, signature }),
      'command_malformed',
    ],
    ['padding', `${header}.${payload}==.${signature}`, 'base64url_malformed'],
    ['a line feed at the end', `${good}\n`, 'base64url_malformed'],
    ['a space before it', ` ${good}`, 'base64url_malformed'],
    ['plain base64', `${header}.${payload}.${'+/'.repeat(43)}`, 'base64url_malformed'],
    [
      'unused bits of the last digit set',
      `${header}.${payload}.${signature.slice(0, -1)}B`,
      'base64url_malformed',
    ],
    ['no header', `.${payload}.${signature}`, 'header_malformed'],
    ['a header that is a list', `${encode([])}.${payload}.${signature}`, 'header_malformed'],
  ])('is refused: %s', async (_name, jws, code) => {
    expect(await codeOf(jws)).toBe(code);
  });

  it('is refused when a name stands twice, in the header or in the payload', async () => {
    const { kid } = goodHeader(keys.trigger) as { kid: string };
    const twice = `{"alg":"Ed25519","kid":"${kid}","typ":"edgeflows-command+jws","kid":"${kid}"}`;
    expect(await codeOf(signRaw(Buffer.from(twice), runCommand(), keys.trigger))).toBe('header_malformed');
    const text = JSON.stringify(runCommand()).replace('{', String.raw`{"f\u006cow":"payroll",`);
    expect(await codeOf(withPayload(Buffer.from(text)))).toBe('payload_malformed');
  });
});

describe('the payload', () => {
  it.each([
    ['no JSON', Buffer.from('run')],
    ['a list', []],
    ['no action', runCommand({ action: undefined })],
    ['no flow', runCommand({ flow: undefined })],
    ['a flow that is a path', runCommand({ flow: '../other' })],
    ['no command_id', runCommand({ command_id: undefined })],
    ['a run_id that names another folder', runCommand({ run_id: '..' })],
    ['a run_id that is a device', runCommand({ run_id: 'NUL.txt' })],
    ['a timeout of nothing', runCommand({ timeout: '0s' })],
    ['a time without a zone', runCommand({ issued: '2026-11-20T14:59:59' })],
  ])('is refused with %s', async (_name, payload) => {
    expect(await codeOf(withPayload(payload))).toBe('payload_malformed');
  });

  it('is refused with an action that is not ours, by its name', async () => {
    for (const action of ['exec', 'RUN', 'toString', '']) {
      expect(await codeOf(withPayload(runCommand({ action })))).toBe('action_unknown');
    }
  });
});

describe('time', () => {
  it('ends a command at its expires, not a moment later', async () => {
    const jws = withPayload(runCommand({ expires: later(60_000) }));
    expect(await codeOf(jws, { now: new Date(NOW.getTime() + 59_999) })).toBe('verified');
    expect(await codeOf(jws, { now: new Date(NOW.getTime() + 60_000) })).toBe('command_expired');
  });

  it('is never before the latest release: a clock set back brings no command back to life', async () => {
    const memory = { ...EMPTY, latest_issued: daysFromNow(0) };
    const old = withPayload(runCommand({ issued: later(-7_200_000), expires: later(-3_600_000) }));
    const back = { now: new Date(NOW.getTime() - 5_400_000), stateSince: new Date(0) };
    expect(await codeOf(old, back)).toBe('verified');
    expect(await codeOf(old, { ...back, memory })).toBe('command_expired');
  });

  it.each([
    ['24 h and a millisecond', later(0), later(86_400_001)],
    ['nothing', later(0), later(0)],
    ['less than nothing', later(0), later(-1)],
  ])('is not given for %s', async (_name, issued, expires) => {
    expect(await codeOf(withPayload(runCommand({ issued, expires })))).toBe('lifetime_too_long');
  });

  it('allows a signer to be five minutes ahead, and no more', async () => {
    const by = (ms: number) => withPayload(runCommand({ issued: later(ms), expires: later(ms + 1_000) }));
    expect(await codeOf(by(300_000))).toBe('verified');
    expect(await codeOf(by(300_001))).toBe('issued_in_future');
  });

  it('does not lock out a machine whose clock is ten minutes behind, or a day', async () => {
    for (const minutes of [10, 24 * 60]) {
      const jws = withPayload(runCommand());
      const now = new Date(Date.parse(later(-minutes * 60_000)));
      const state = { now, stateSince: now };
      expect(await codeOf(jws, state)).toBe('issued_in_future');
      expect(await codeOf(jws, { ...state, clockOffsetMs: minutes * 60_000 })).toBe('verified');
    }
  });

  it('does not lock out a machine whose clock is ten minutes ahead', async () => {
    const jws = withPayload(runCommand({ expires: later(300_000) }));
    const now = new Date(NOW.getTime() + 600_000);
    expect(await codeOf(jws, { now })).toBe('command_expired');
    expect(await codeOf(jws, { now, clockOffsetMs: -600_000 })).toBe('verified');
  });

  it('is moved by no more than a quarter of an hour by a console that lies of it', async () => {
    const jws = withPayload(runCommand({ expires: later(60_000) }));
    const liar = { clockOffsetMs: -10 * 365 * 86_400_000 };
    const at = (ms: number) => ({ ...liar, now: new Date(NOW.getTime() + 60_000 + ms) });
    expect(await codeOf(jws, at(899_999))).toBe('verified');
    expect(await codeOf(jws, at(900_000))).toBe('command_expired');
    const early = withPayload(runCommand({ issued: later(0), expires: later(60_000) }));
    const before = (ms: number) => ({
      now: new Date(NOW.getTime() - 86_400_000 - ms),
      stateSince: new Date(0),
      clockOffsetMs: 10 * 365 * 86_400_000,
    });
    expect(await codeOf(early, before(300_000))).toBe('verified');
    expect(await codeOf(early, before(300_001))).toBe('issued_in_future');
  });

  it('is never moved before the newest release, nor before what is forgotten', async () => {
    const jws = withPayload(runCommand({ expires: later(60_000) }));
    const liar = { now: new Date(NOW.getTime() + 120_000), clockOffsetMs: -600_000 };
    expect(await codeOf(jws, liar)).toBe('verified');
    const memory = { ...EMPTY, latest_issued: later(60_000) };
    expect(await codeOf(jws, { ...liar, memory })).toBe('command_expired');
    const forgottenUntil = new Date(later(60_000));
    expect(await codeOf(jws, { ...liar, forgottenUntil })).toBe('command_expired');
  });

  it('says how wrong the clock is when that is why', async () => {
    const now = new Date(NOW.getTime() + 3 * 3_600_000);
    const verdict = await verify(withPayload(runCommand()), { now, clockOffsetMs: -3 * 3_600_000 });
    expect(verdict).toMatchObject({
      code: 'command_expired',
      message: expect.stringContaining("the console says that this machine's clock is 180 min ahead"),
    });
  });

  it('before the state began does not count: what was issued then may have been done then', async () => {
    const issued = later(-1_000);
    const jws = withPayload(runCommand({ issued }));
    expect(await codeOf(jws, { stateSince: new Date(issued) })).toBe('verified');
    expect(await codeOf(jws, { stateSince: new Date(Date.parse(issued) + 1) })).toBe('older_than_state');
  });
});

describe('the root in force', () => {
  it('counts while it has not expired', async () => {
    const now = new Date('2030-01-01T00:00:00Z');
    const jws = withPayload(runCommand({ issued: now.toISOString(), expires: '2030-01-01T01:00:00Z' }));
    expect(await codeOf(jws, { now })).toBe('root_expired');
  });

  it('is the last one accepted: a key rotated out signs no more, the new one does', async () => {
    const next = newKey();
    const draft = rotateRoot(keys.document, { expires: '2031-01-01T00:00:00Z', keys: { trigger: [next] } });
    const document = serialiseDocument(await signRoot(draft, [keys.root]));
    const { payload } = JSON.parse(document) as { payload: string };
    const payload_sha256 = sha256Hex(Buffer.from(payload, 'base64url'));
    const memory = { ...EMPTY, roots: [{ version: 2, payload_sha256, document }] };
    const byNext = await signCommand(runCommand(), next);
    expect(await codeOf(byNext)).toBe('key_unknown');
    expect(await codeOf(byNext, { memory })).toBe('verified');
    expect(await codeOf(good, { memory })).toBe('key_unknown');
    expect(await codeOf(good)).toBe('verified');
  });
});

describe('one byte flipped', () => {
  it('anywhere in a command is refused, every bit of every byte', async () => {
    expect(await codeOf(good)).toBe('verified');
    const bytes = Buffer.from(good, 'ascii');
    const taken: string[] = [];
    for (let index = 0; index < bytes.length; index += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const copy = Buffer.from(bytes);
        copy[index] = (copy[index] as number) ^ (1 << bit);
        if ((await codeOf(copy.toString('latin1'))) === 'verified') taken.push(`byte ${index} bit ${bit}`);
      }
    }
    expect(taken).toEqual([]);
  }, 180_000);

  it('or a command cut anywhere, is refused', async () => {
    for (let length = 0; length < good.length; length += 1) {
      expect(await codeOf(good.slice(0, length))).not.toBe('verified');
    }
  });
});

describe('whatever arrives', () => {
  const anyCode = (code: string): void => {
    expect(CommandRefusalCode.options).toContain(code);
  };

  it('is refused with a code of the closed list, and never throws', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join('.')),
      fc
        .tuple(fc.json(), fc.json())
        .map(([a, b]) => `${encode(Buffer.from(a))}.${encode(Buffer.from(b))}.AAAA`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (jws) => anyCode(await codeOf(jws))),
      { numRuns: 300 },
    );
  });

  it('with a signature that holds over any JSON is refused unless it is a command', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (json) => anyCode(await codeOf(withPayload(Buffer.from(json))))),
      { numRuns: 200 },
    );
  });
});
