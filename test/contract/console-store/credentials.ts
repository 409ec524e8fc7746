import { beforeEach, describe, expect, test } from 'vitest';
import type { ConsoleStore } from '../../../console/store/ports/console-store.ts';
import type { EnrolmentFacts, EnrolmentStep } from '../../../console/store/ports/enrolments.ts';
import type { Sighting } from '../../../console/store/ports/identities.ts';
import { AT, addTenant, furnish, later, madeAgent, toldOf } from './made-agent.ts';

const jwk = (x: string) => ({ kty: 'OKP' as const, crv: 'Ed25519' as const, x });
const token = (jti: string, expires = later(60)) => ({
  tenant: 'acme',
  saas_url: 'https://console.example',
  root_sha256: 'root of acme',
  exp: expires.getTime() / 1_000,
  jti,
});

/** Tenants, tokens, enrolments, device keys and who speaks with them. `open` gives two writers of one empty database; time is `AT`. */
export function credentialStoresContract(
  name: string,
  open: () => Promise<[ConsoleStore, ConsoleStore]>,
): void {
  describe(`${name} as the stores of credentials`, () => {
    let one: ConsoleStore;
    let two: ConsoleStore;
    beforeEach(async () => {
      [one, two] = await open();
      await furnish(one);
    });
    const messages = async () => (await one.audit.list({ limit: 100 })).map(({ message }) => message);

    test('a tenant is added once, however many add it at one time', async () => {
      const added = await Promise.all([addTenant(one, 'initech'), addTenant(two, 'initech')]);
      expect(added.filter(Boolean)).toHaveLength(1);
      expect((await two.tenants.list()).map(({ slug }) => slug)).toEqual(['acme', 'globex', 'initech']);
    });

    test('a tenant keeps every root that was pinned, and one publisher', async () => {
      const next = { sha256: 'next', document: 'the next document' };
      expect(await one.tenants.setRoot('acme', next)).toBe(true);
      expect(await one.tenants.setRoot('nobody', next)).toBe(false);
      expect((await two.tenants.get('acme'))?.rootSha256).toBe('next');
      expect((await two.tenants.rootDocuments('acme')).toSorted()).toEqual(
        ['document of acme', 'the next document'].toSorted(),
      );
      expect(await one.tenants.setPublisher('acme', 'other')).toBe(true);
      expect(await one.tenants.setPublisher('nobody', 'more')).toBe(false);
      expect(await two.tenants.byPublisher('publisher of acme')).toBeNull();
      expect((await two.tenants.byPublisher('other'))?.slug).toBe('acme');
    });

    test('every renewal of a webhook counts on by one, whoever asks', async () => {
      expect(await one.hooks.generation('acme')).toBeNull();
      const renewed = await Promise.all([one.hooks.renew('acme', AT), two.hooks.renew('acme', AT)]);
      expect(renewed.toSorted((a, b) => a - b)).toEqual([1, 2]);
      expect(await two.hooks.generation('acme')).toBe(2);
    });

    test('a token is open, expired or revoked, and revoked and told of once', async () => {
      await one.tokens.made(token('open'), AT, toldOf('made open', 'token_made'));
      await one.tokens.made(token('late', AT), later(1), toldOf('made late', 'token_made'));
      const revoke = async (store: ConsoleStore) =>
        store.tokens.revoke('open', AT, () => toldOf('revoked', 'token_revoked'));
      expect(await two.tokens.get('open')).toMatchObject({ state: 'open', made_by: 'person:ada' });
      expect((await Promise.all([revoke(one), revoke(two)])).map((found) => found?.state)).toEqual([
        'revoked',
        'revoked',
      ]);
      expect((await messages()).filter((message) => message === 'revoked')).toHaveLength(1);
      const listed = await two.tokens.list({ tenants: ['acme'], limit: 10 });
      expect(listed.map(({ token_id, state }) => `${token_id} ${state}`)).toEqual([
        'late expired',
        'open revoked',
      ]);
      expect(await two.tokens.list({ tenants: ['globex'], limit: 10 })).toEqual([]);
      expect(await two.tokens.list({ tenants: '*', states: ['expired'], limit: 10 })).toHaveLength(1);
      expect(await one.tokens.prune(later(31 * 24 * 60))).toBe(2);
    });

    describe('an enrolment', () => {
      const call = (thumbprint: string) => ({
        token: {
          id: 't',
          tenant: 'acme',
          root_sha256: 'root of acme',
          expires_at: later(60).getTime() / 1_000,
        },
        thumbprint,
      });
      const answer = { agent_id: 'n1', tenant: 'acme', git: { url: 'https://g' }, root: 'r' };
      const first: EnrolmentStep = {
        kind: 'first',
        agent: { ...madeAgent('n1'), thumbprint: 'new key' },
        gitToken: 'git 1',
        answer,
        told: toldOf('n1 came', 'agent_enrolled'),
      };

      test('sees all that is known, and what is decided is there for the next', async () => {
        const seen: EnrolmentFacts[] = [];
        const decide = (step: EnrolmentStep) => (facts: EnrolmentFacts) => {
          seen.push(facts);
          return step;
        };
        await one.enrolments.enrol(call('new key'), AT, decide(first));
        const again = { kind: 'again', agent_id: 'n1', gitToken: 'git 2' } as const;
        await two.enrolments.enrol(call('new key'), AT, decide(again));
        expect(seen[0]).toMatchObject({
          served: null,
          holder: null,
          root: 'document of acme',
          wasReplaced: false,
        });
        expect(seen[1]).toMatchObject({
          served: {
            thumbprint: 'new key',
            answer,
            agent: { agent_id: 'n1' },
            standing: { kind: 'in_force' },
          },
          holder: { agent_id: 'n1' },
        });
        expect(await one.agents.byGitToken('git 1')).toBeNull();
        expect((await one.agents.byGitToken('git 2'))?.agent_id).toBe('n1');
      });

      test('leaves nothing behind when it is refused', async () => {
        const refused = one.enrolments.enrol(call('new key'), AT, () => {
          throw new Error('refused');
        });
        await expect(refused).rejects.toThrow('refused');
        expect(await two.agents.get('n1')).toBeNull();
      });

      test('is forgotten with its token, and whom it served is not', async () => {
        await one.tokens.made(token('t'), AT, toldOf('made', 'token_made'));
        await one.enrolments.enrol(call('new key'), AT, () => first);
        expect(await one.enrolments.prune(later(59).getTime() / 1_000)).toBe(0);
        expect(await one.enrolments.prune(later(61).getTime() / 1_000)).toBe(1);
        expect(await two.tokens.get('t')).toMatchObject({ state: 'used', agent_id: 'n1' });
      });
    });

    describe('a device key', () => {
      const rotate = async (store: ConsoleStore, from: string, to: string, at = AT) =>
        (
          await store.deviceKeys.rotate(
            { agent_id: 'a1', from, next: { jwk: jwk(to), thumbprint: to }, everyMs: 60_000, keep: 2 },
            at,
            toldOf(`now ${to}`),
          )
        ).kind;

      test('is changed once by those who ask at one time, and stands as the former one then', async () => {
        const outcomes = await Promise.all([rotate(one, 'key of a1', 'k2'), rotate(two, 'key of a1', 'k2')]);
        expect(outcomes.toSorted()).toEqual(['changed', 'same']);
        expect(await messages()).toEqual(['now k2']);
        expect(await two.deviceKeys.standing('a1', 'k2')).toEqual({ kind: 'in_force' });
        expect(await two.deviceKeys.standing('a1', 'key of a1')).toMatchObject({
          kind: 'former',
          grace_until: null,
        });
        expect(await two.deviceKeys.standing('a1', 'key of a2')).toEqual({ kind: 'unknown' });
      });

      test('cannot be one that is, or was, somebody’s, nor be changed twice in a minute', async () => {
        expect(await rotate(one, 'key of a1', 'key of a2')).toBe('taken');
        expect(await rotate(one, 'key of a1', 'k2')).toBe('changed');
        expect(await rotate(two, 'k2', 'k3', later(0.5))).toBe('too_soon');
        expect(await rotate(two, 'k2', 'key of a1', later(2))).toBe('taken');
      });

      test('decides nothing any more when its grace has an end, or nobody knows it', async () => {
        await rotate(one, 'key of a1', 'k2');
        await one.deviceKeys.endGrace('a1', 'key of a1', later(5));
        expect(await two.deviceKeys.isAnyOpen('a1')).toBe(true);
        await one.deviceKeys.endGrace('a1', 'k2', later(5));
        expect(await two.deviceKeys.isAnyOpen('a1')).toBe(false);
        expect(await rotate(two, 'key of a1', 'k3', later(2))).toBe('retired');
        expect(await rotate(two, 'never seen', 'k3', later(2))).toBe('retired');
      });

      test('is remembered as long as it is among the newest former ones, with the uses that were refused', async () => {
        for (const [n, to] of ['k2', 'k3', 'k4'].entries()) {
          const from = n === 0 ? 'key of a1' : `k${n + 1}`;
          expect(await rotate(one, from, to, later(2 * n))).toBe('changed');
          await one.deviceKeys.endGrace('a1', to, later(2 * n));
        }
        expect((await two.deviceKeys.former('a1', 9)).map(({ thumbprint }) => thumbprint)).toEqual([
          'k3',
          'k2',
        ]);
        expect(await one.deviceKeys.refused('k3', '10.0.0.1', later(9), later(0))).toBe(true);
        expect(await two.deviceKeys.refused('k3', '10.0.0.2', later(10), later(0))).toBe(false);
        expect((await two.deviceKeys.former('a1', 1))[0]).toMatchObject({
          refused_uses: 2,
          last_refused_from: '10.0.0.2',
        });
      });
    });

    test('what two processes do in turn is followed on one row, by whoever sees it', async () => {
      const saw = (boot: string, at: Date): Sighting => ({
        boot,
        machine: null,
        hostname: boot,
        os: null,
        address: '10.0.0.1',
        at,
      });
      await one.identities.saw('a1', saw('b1', AT), null);
      await one.identities.saw('a1', saw('b2', later(1)), null);
      const follow = async (store: ConsoleStore) =>
        store.identities.sawInTurn('a1', saw('b1', later(2)), (before) => ({
          since: before?.since ?? AT.toISOString(),
          last_at: later(2).toISOString(),
          changes: (before?.changes ?? 0) + 1,
          boots: ['b1', 'b2'],
        }));
      const before = await Promise.all([follow(one), follow(two)]);
      expect(before.filter((row) => row === null)).toHaveLength(1);
      expect(await two.identities.conflict('a1')).toMatchObject({ changes: 2, boots: ['b1', 'b2'] });
      expect((await two.identities.processes('a1', 9)).map(({ boot_id }) => boot_id)).toEqual(['b1', 'b2']);
      await one.identities.saw('a1', saw('b3', later(3)), 'b2');
      expect((await two.identities.processes('a1', 9)).map(({ boot_id }) => boot_id)).toEqual(['b3', 'b1']);
      expect(await one.identities.prune(later(3))).toBe(1);
    });
  });
}
