import { describe, expect, it } from 'vitest';
import { isNoop, planRelease } from '../../reconciler/plan.ts';
import type { FlowSpec, Release } from '../../schemas/flow-spec.ts';
import { activeFlow, DIGEST, flowSpec, flowState, NOW, observed, pointer, REVISION } from './fixtures.ts';

const release = (...flows: Release['flows']): Release => ({
  revision: REVISION,
  commit: null,
  manifest_version: 2,
  flows,
  allow_empty: false,
});
const spec = flowSpec();
const running = {
  current: pointer({ 'invoice-bot': activeFlow() }),
  states: new Map([['invoice-bot', flowState(spec)]]),
};
const planOne = (change: Parameters<typeof observed>[0], flow = spec) =>
  planRelease(release(flow), observed(change), NOW).flows[0];

describe('a plan', () => {
  it('activates what is not there', () => {
    expect(planOne({})).toMatchObject({
      kind: 'activate',
      place: { version: 'v1.0.7', path: 'flows/invoice-bot/v1.0.7' },
      because: 'the manifest names v1.0.7 (aaaaaaaa) and nothing is active',
    });
  });

  it('does nothing when everything is so', () => {
    const plan = planRelease(release(spec), observed(running), NOW);
    expect(plan.flows).toEqual([{ kind: 'keep', spec }]);
    expect(isNoop(plan)).toBe(true);
  });

  it('goes by the digest when a version names another one', () => {
    const other = flowSpec({ sha256: DIGEST.b });
    const taken = new Map([['flows/invoice-bot/v1.0.7', DIGEST.a]]);
    expect(planOne({ ...running, taken }, other)).toMatchObject({
      kind: 'activate',
      place: { version: 'v1.0.7+bbbbbbbb', path: 'flows/invoice-bot/v1.0.7+bbbbbbbb' },
    });
  });

  it('keeps a version that lives under a suffixed name, also when the plain name is free again', () => {
    const suffixed = activeFlow({ version: 'v1.0.7+aaaaaaaa', path: 'flows/invoice-bot/v1.0.7+aaaaaaaa' });
    const current = pointer({ 'invoice-bot': suffixed });
    expect(planOne({ ...running, current })?.kind).toBe('keep');
  });

  it('activates the same digest under its new name', () => {
    expect(planOne(running, flowSpec({ version: 'v1.0.8' }))).toMatchObject({
      kind: 'activate',
      place: { path: 'flows/invoice-bot/v1.0.8' },
    });
  });

  it('changes settings without another version', () => {
    expect(planOne(running, flowSpec({ args: ['--fast'] }))?.kind).toBe('settings');
    expect(planOne(running, flowSpec({ edge_url: 'https://elsewhere.example/a.tar.gz' }))?.kind).toBe('keep');
  });

  it('refuses a URL outside the allow-list before anything is fetched', () => {
    const allows = () => ({ kind: 'refused', code: 'url_not_allowed', message: 'not in the list' }) as const;
    expect(planOne({ allows })).toMatchObject({
      kind: 'blocked',
      setback: { kind: 'refused', code: 'url_not_allowed' },
    });
  });

  it('names a foreign architecture', () => {
    expect(planOne({}, flowSpec({ cpu_arch: 'arm64' }))).toMatchObject({
      kind: 'blocked',
      setback: { code: 'arch_mismatch', message: expect.stringContaining('found cpu_arch arm64') },
    });
    expect(planOne({}, flowSpec({ cpu_arch: 'x86_64' }))?.kind).toBe('activate');
  });

  it('leaves a quarantined digest alone, and takes its fix', () => {
    const quarantine = {
      cause: 'digest',
      flow: 'invoice-bot',
      revision: REVISION,
      message: 'bad',
      at: NOW.toISOString(),
    } as const;
    const quarantines = new Map([[DIGEST.a, quarantine]]);
    expect(planOne({ quarantines })).toMatchObject({ kind: 'blocked', setback: { code: 'quarantined' } });
    expect(planOne({ quarantines }, flowSpec({ sha256: DIGEST.b, version: 'v1.0.8' }))?.kind).toBe(
      'activate',
    );
  });

  it('tries a version that failed again with other settings, or as another flow, and not under another name', () => {
    const failed = {
      cause: 'health',
      flow: 'default',
      spec: flowSpec({}),
      revision: 'r1',
      message: 'v1.0.7 failed its health check',
      at: NOW.toISOString(),
    } as const;
    const quarantines = new Map([[DIGEST.a, failed]]);
    const kind = (change: Partial<FlowSpec>) => planOne({ quarantines }, flowSpec(change))?.kind;
    expect(kind({})).toBe('blocked');
    expect(kind({ version: 'v2' })).toBe('blocked');
    expect(kind({ args: ['--port', '8080'] })).toBe('activate');
    expect(kind({ id: 'other' })).toBe('activate');
  });

  it('says of a quarantine whose bundle it was', () => {
    const at = NOW.toISOString();
    const found = { cause: 'health', flow: 'other', revision: REVISION, message: 'v1 failed', at } as const;
    expect(planOne({ quarantines: new Map([[DIGEST.a, found]]) })).toMatchObject({
      setback: {
        message: expect.stringContaining(
          'flow invoice-bot: its bundle is that of flow other, whose v1 failed; publish',
        ) as string,
      },
    });
  });

  it('keeps a flow that was rolled back by hand until something newer comes', () => {
    const previous = { version: 'v1.0.7', sha256: DIGEST.a, path: 'flows/invoice-bot/v1.0.7' };
    const held = { by: 'ana', why: 'wrong totals' };
    const rolledBack = activeFlow({
      version: 'v1.0.6',
      sha256: DIGEST.c,
      path: 'flows/invoice-bot/v1.0.6',
      previous,
      held,
    });
    const current = pointer({ 'invoice-bot': rolledBack });
    expect(planOne({ current })).toEqual({ kind: 'held', spec, held });
    expect(planOne({ current }, flowSpec({ version: 'v1.0.8', sha256: DIGEST.b }))?.kind).toBe('activate');
  });

  it('waits out a backoff, unless a person asks', () => {
    const later = new Date(NOW.getTime() + 60_000).toISOString();
    const setback = { kind: 'retry', code: 'network', message: 'no route' } as const;
    const failed = flowState(spec, { active: null, setback, failures: 3, next_attempt_at: later });
    const states = new Map([['invoice-bot', failed]]);
    expect(planOne({ states })).toMatchObject({ kind: 'blocked', waits: true, setback: { afterMs: 60_000 } });
    expect(planOne({ states, explicit: true })?.kind).toBe('activate');
  });

  it('tries a stalled flow again only at another revision or digest', () => {
    const setback = { kind: 'stalled', code: 'archive_refused', message: 'a symlink' } as const;
    const stalled = flowState(spec, { active: null, setback });
    expect(planOne({ states: new Map([['invoice-bot', stalled]]) })?.kind).toBe('blocked');
    const before = { ...stalled, attempted_revision: 'tenant/acme@sha1:older' };
    expect(planOne({ states: new Map([['invoice-bot', before]]) })?.kind).toBe('activate');
  });

  it('puts a drifted version back in its own place', () => {
    const drifted = new Map([['invoice-bot', 'main.py changed']]);
    expect(planOne({ ...running, drifted })).toMatchObject({
      kind: 'activate',
      place: { path: 'flows/invoice-bot/v1.0.7' },
      because: 'the version on disk drifted: main.py changed',
    });
  });

  it('selects flows by the labels of the agent', () => {
    const canary = flowSpec({ targets: { ring: 'canary' } });
    expect(planRelease(release(canary), observed({ labels: { ring: 'canary' } }), NOW).flows).toHaveLength(1);
    const elsewhere = planRelease(release(canary), observed({ ...running, labels: { ring: 'stable' } }), NOW);
    expect(elsewhere.flows).toEqual([]);
    expect(elsewhere.deactivate).toEqual([
      { flow: 'invoice-bot', because: 'its targets no longer select this agent' },
    ]);
  });

  it('deactivates what left the manifest', () => {
    const plan = planRelease(release(flowSpec({ id: 'other' })), observed(running), NOW);
    expect(plan.deactivate).toEqual([{ flow: 'invoice-bot', because: 'it left the manifest' }]);
  });

  it('puts dependencies first and otherwise keeps the order', () => {
    const flows = [
      flowSpec({ id: 'c', depends_on: ['a', 'b'] }),
      flowSpec({ id: 'b', depends_on: ['a'] }),
      flowSpec({ id: 'd' }),
      flowSpec({ id: 'a' }),
    ];
    const order = planRelease(release(...flows), observed(), NOW).flows.map((flow) => flow.spec.id);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each(['flows', 'Current.json'])(
    'refuses the v1 version name %s, which is the agent’s own',
    (version) => {
      expect(planOne({}, flowSpec({ layout: 'root', version }))).toMatchObject({
        kind: 'blocked',
        setback: { code: 'version_name_reserved' },
      });
    },
  );
});
