import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANIFEST_FILE, POLICY_FILE, RELEASE_FILE } from '../../reconciler/ports.ts';
import type { GeneralJws, PrivateJwk } from '../../schemas/jws.ts';
import { RefusalCode } from '../../schemas/reasons.ts';
import { type DraftDocument, serialiseDocument } from '../../trust/ceremony/draft.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { type DocumentType, signPayload } from '../../trust/jws.ts';
import { type Daemon, until } from '../support/daemon.ts';
import {
  type BranchFiles,
  createSignedTenant,
  daysAhead,
  type Reconciled,
  rootFiles,
  type SignedTenant,
  signRoot,
  type TenantMachine,
} from '../support/signed-tenant.ts';

/** Every code of the closed list but those of `trust.mode: tuf`, which has documents of its own. */
type Code = Exclude<RefusalCode, `tuf_${string}`>;
const CODES = RefusalCode.options.filter((code): code is Code => !code.startsWith('tuf_'));

/** What somebody puts on the branch. `before` is done first, and is good. */
interface Attempt {
  readonly files: BranchFiles;
  readonly config?: object;
  readonly before?: BranchFiles;
  /** The event that says so, where it is not that of a release. */
  readonly event?: 'UrlNotAllowed';
}
type Make = (tenant: SignedTenant, manifest: string) => Promise<Attempt>;

/** Any payload at all under the signatures of these keys: what their owners could be made to sign. */
async function signedAs(
  typ: DocumentType,
  payload: object,
  keys: readonly PrivateJwk[],
): Promise<GeneralJws> {
  const bytes = Buffer.from(JSON.stringify(payload));
  const signatures = await Promise.all(keys.map((key) => signPayload(bytes, key, typ)));
  return { payload: bytes.toString('base64url'), signatures };
}

const contentOf = (document: DraftDocument) =>
  JSON.parse(Buffer.from(document.payload, 'base64url').toString('utf8')) as Record<string, unknown>;

/** A good release whose document is changed after it was signed. */
const changed =
  (change: (document: GeneralJws) => unknown): Make =>
  async (tenant, manifest) => {
    const document = JSON.parse(await tenant.release(manifest, { seq: 6 })) as GeneralJws;
    const after = change(document);
    return {
      files: {
        [MANIFEST_FILE]: manifest,
        [RELEASE_FILE]: typeof after === 'string' ? after : JSON.stringify(after),
      },
    };
  };

/** Release 6, with these changes of what it states. */
const released =
  (changes: Parameters<SignedTenant['files']>[1]): Make =>
  async (tenant, manifest) => ({ files: await tenant.files(manifest, { seq: 6, ...changes }) });

/** Root documents beside a release that is good under the root it names. */
const withRoots =
  (make: (tenant: SignedTenant) => Promise<BranchFiles>, root_version = 2): Make =>
  async (tenant, manifest) => ({
    files: { ...(await tenant.files(manifest, { seq: 6, root_version })), ...(await make(tenant)) },
  });

const ATTEMPTS: Readonly<Record<Code, Make>> = {
  release_missing: async (_, manifest) => ({ files: { [MANIFEST_FILE]: manifest } }),
  signature_required: async (_, manifest) => ({
    config: { trust: { mode: 'optional', root: 'root.jws.json' } },
    files: { [MANIFEST_FILE]: manifest },
  }),
  document_too_large: changed((document) => serialiseDocument(document) + ' '.repeat(512 * 1024)),
  document_malformed: changed((document) => `${serialiseDocument(document)}}`),
  base64url_malformed: changed((document) => ({ ...document, payload: `${document.payload}=` })),
  too_many_signatures: changed(({ payload, signatures: [one] }) => ({
    payload,
    signatures: Array.from({ length: 33 }, () => one),
  })),
  header_malformed: changed(({ payload, signatures: [one, other] }) => {
    const header = JSON.parse(Buffer.from(one?.protected ?? '', 'base64url').toString()) as object;
    const looks = Buffer.from(JSON.stringify({ ...header, jku: 'https://keys.example/1' }));
    return { payload, signatures: [{ ...one, protected: looks.toString('base64url') }, other] };
  }),
  typ_mismatch: async ({ root }, manifest) => ({
    files: { [MANIFEST_FILE]: manifest, [RELEASE_FILE]: serialiseDocument(root) },
  }),
  threshold_not_met: async (tenant, manifest) => ({
    files: await tenant.files(manifest, { seq: 6 }, [tenant.keys.release[0]]),
  }),
  type_mismatch: async (tenant, manifest) => {
    const other = { type: 'edgeflows-approval/v1', tenant: 'acme' };
    const document = await signedAs('edgeflows-release+jws', other, tenant.keys.release);
    return { files: { [MANIFEST_FILE]: manifest, [RELEASE_FILE]: serialiseDocument(document) } };
  },
  tenant_mismatch: released({ tenant: 'globex' }),
  root_version_mismatch: withRoots(async (tenant) => rootFiles(await tenant.nextRoot(tenant.root)), 1),
  issued_in_future: released({ issued: '2099-01-01T00:00:00Z', expires: '2099-12-31T00:00:00Z' }),
  release_expired: released({ issued: daysAhead(-2), expires: daysAhead(-1) }),
  seq_rollback: released({ seq: 4 }),
  seq_equivocation: released({ seq: 5 }),
  manifest_missing: async (tenant, manifest) => ({
    files: { [RELEASE_FILE]: await tenant.release(manifest, { seq: 6 }) },
  }),
  manifest_mismatch: async (tenant, manifest) => ({
    files: { ...(await tenant.files(manifest, { seq: 6 })), [MANIFEST_FILE]: `${manifest} ` },
  }),
  policy_missing: async (tenant, manifest) => {
    const policyBytes = Buffer.from('version: 1\n');
    const { [POLICY_FILE]: _left, ...files } = await tenant.files(manifest, { seq: 6, policyBytes });
    return { files };
  },
  policy_mismatch: async (tenant, manifest) => {
    const policyBytes = Buffer.from('version: 1\n');
    const files = await tenant.files(manifest, { seq: 6, policyBytes });
    return { files: { ...files, [POLICY_FILE]: 'version: 1\nruns: {concurrency: 64}\n' } };
  },
  root_missing: async (tenant, manifest) => ({
    config: { trust: { mode: 'optional' } },
    files: await tenant.files(manifest, { seq: 6 }),
  }),
  root_malformed: withRoots(async ({ root, keys }) => {
    const { keys: _left, ...rest } = contentOf(root);
    const two = { ...rest, version: 2, keys: {} };
    return rootFiles(await signedAs('edgeflows-root+jws', two, keys.root.slice(0, 2)));
  }),
  root_name_mismatch: withRoots(async (tenant) => {
    const three = await tenant.nextRoot(await tenant.nextRoot(tenant.root));
    return { 'roots/2.root.jws.json': serialiseDocument(three) };
  }),
  root_conflict: withRoots(async ({ keys }) => {
    const fork = newRoot({
      expires: daysAhead(400),
      keys: { root: keys.root, release: keys.release },
      thresholds: { root: 2, release: 2 },
    });
    return rootFiles(await signRoot(fork, keys.root));
  }, 1),
  root_gap: withRoots(async (tenant) => {
    return rootFiles(await tenant.nextRoot(await tenant.nextRoot(tenant.root)));
  }, 3),
  root_threshold_not_met: withRoots(async (tenant) => {
    return rootFiles(await tenant.nextRoot(tenant.root, {}, [tenant.keys.root[2]]));
  }),
  root_expired: withRoots(async (tenant) => {
    return rootFiles(await tenant.nextRoot(tenant.root, { expires: daysAhead(-1) }));
  }),
  root_too_many: async (tenant, manifest) => {
    // One root key from root 2 on: a thousand documents with two signatures each would be the test of a patient reader.
    const [ann, ben] = tenant.keys.root;
    const roots = [
      await tenant.nextRoot(tenant.root, { keys: { root: [ann] }, thresholds: { root: 1 } }, [ann, ben]),
    ];
    while (roots.length < 1_025) roots.push(await tenant.nextRoot(roots.at(-1) as GeneralJws, {}, [ann]));
    const [last, ...others] = roots.toReversed() as [GeneralJws, ...GeneralJws[]];
    return {
      before: {
        ...(await tenant.files(tenant.manifest('good'), { root_version: 1_025, seq: 6 })),
        ...rootFiles(...others),
      },
      files: { ...(await tenant.files(manifest, { root_version: 1_026, seq: 7 })), ...rootFiles(last) },
    };
  },
  url_not_allowed: async (tenant) => {
    const elsewhere = tenant.manifest('evil', { edge_url: `${tenant.artifacts.origin}/elsewhere/b.tar.gz` });
    return { files: await tenant.files(elsewhere, { seq: 6 }), event: 'UrlNotAllowed' };
  },
};

/** These leave something behind: a setting, or roots that stay accepted. Each is tried on a machine of its own. */
const LEAVES_A_TRACE: ReadonlySet<Code> = new Set([
  'signature_required',
  'root_missing',
  'root_version_mismatch',
  'root_expired',
  'root_too_many',
]);
const never = new AbortController().signal;

let tenant: SignedTenant;
/** Release 5 is applied here. */
let good: TenantMachine;
/** The same, with its daemon. */
let kept: TenantMachine;
let daemon: Daemon;
beforeAll(async () => {
  tenant = await createSignedTenant();
  good = tenant.machine();
  good.publish(await tenant.files(tenant.manifest('good'), { seq: 5 }));
  await good.apply();
  kept = tenant.machine(good);
  daemon = kept.start();
  await until('the daemon', () => kept.operations.status({}, never).catch(() => null), 60_000);
}, 120_000);
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await tenant?.[Symbol.asyncDispose]();
});

type Tried = Pick<Reconciled, 'code' | 'report' | 'error'>;

/** Puts it on the branch and looks at everything that is told, and at what must not have moved. */
async function expectRefused(
  code: Code,
  machine: TenantMachine,
  attempt: Attempt,
  reconcile: () => Promise<Tried>,
): Promise<void> {
  const pointer = machine.pointer();
  const told = machine.events().length;
  machine.publish(attempt.files);
  const { code: exit, report, error } = await reconcile();
  expect({ exit, code: error?.code }).toEqual({ exit: 3, code });
  expect(report.conditions).toMatchObject([
    { type: 'Ready', status: 'False', reason: code, message: error?.message },
    { type: 'Stalled', status: 'True', reason: code, message: error?.message },
  ]);
  const active = machine.current().flows['default']?.version;
  expect(report.flows).toMatchObject([{ id: 'default', active_version: active }]);

  // A second look finds nothing new, and says nothing again. With a thousand roots it would find that for seconds.
  const again = code === 'root_too_many' ? { code: exit, error } : await reconcile();
  expect(again).toMatchObject({ code: 3, error: { code } });
  const { event = 'ReleaseRefused' } = attempt;
  const events = machine.events().slice(told);
  expect(events.filter(({ reason }) => reason === event)).toMatchObject([
    { because: code, severity: 'error', message: error?.message, revision: report.source.desired_revision },
  ]);
  expect(machine.pointer()).toBe(pointer);
}

describe('what trust refuses, on a whole agent', () => {
  it('is tried here for every code of the closed list', () => {
    expect(Object.keys(ATTEMPTS).toSorted()).toEqual(CODES.toSorted());
  });

  it.each(CODES.filter((code) => !LEAVES_A_TRACE.has(code)))(
    '%s: exit 3, one event, said in the status, and what was active goes on',
    async (code) => {
      const attempt = await ATTEMPTS[code](tenant, tenant.manifest('evil', { version: 'v6' }));
      await expectRefused(code, kept, attempt, async () => {
        const { exit_code, report, problems } = await kept.operations.reconcile({ force: false }, never);
        return { code: exit_code, report, error: problems[0] ?? null };
      });
      const input = { flow: 'default', version: null, input: {}, timeout_ms: null };
      const { run_id } = await kept.operations.trigger(input, never);
      expect(await kept.operations.result({ run_id }, never)).toMatchObject({
        status: 'succeeded',
        stdout: 'good\n',
      });
    },
    60_000,
  );

  it('leaves no trace of any of them: the next honest release is taken at once', async () => {
    // url_not_allowed was a release that is believed: it has used up 6.
    kept.publish(await tenant.files(tenant.manifest('better'), { seq: 7 }));
    const { exit_code } = await kept.operations.reconcile({ force: false }, never);
    expect(exit_code).toBe(0);
    expect(kept.current().seq?.value).toBe(7);
  }, 60_000);

  it.each([...LEAVES_A_TRACE])(
    '%s: exit 3, one event, said in the status, and what was active goes on',
    async (code) => {
      const machine = tenant.machine(good);
      const attempt = await ATTEMPTS[code](tenant, tenant.manifest('evil', { version: 'v6' }));
      if (attempt.before !== undefined) {
        machine.publish(attempt.before);
        await machine.apply();
      }
      machine.configure(attempt.config ?? {});
      await expectRefused(code, machine, attempt, async () => {
        const told = await machine.reconcile();
        expect(told.stderr).toContain(told.error?.message);
        return told;
      });
      expect(await machine.runs()).toBe('good\n');
    },
    120_000,
  );
});
