import { toGitFault, toSetback } from '../../sources/git/git-fault.ts';
import { listRefs, readAdvertisement } from '../../sources/git/remote-refs.ts';
import { createSmartHttp } from '../../sources/git/smart-http.ts';
import { requestWithToken } from '../../system/token-request.ts';
import type { Callers } from './callers.ts';
import { type Finding, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';
import { askStanding, ENROL_ANEW, knownEnd } from './standing.ts';

const DEADLINE_MS = 10_000;
const MAX_BYTES = 1_048_576;
const MANIFEST_MAX_BYTES = 16 * 1_048_576;

const ENROL_AGAIN = 'check that the console still knows this agent; else run edge-agent enroll';

/** `GET /api/branch-exists`, which answers anybody, and a reading that lets in nobody but an agent. */
export async function consoleFinding(
  patient: Patient,
  callers: Callers,
  signal: AbortSignal,
): Promise<Finding> {
  const { config } = patient.loaded;
  const name = 'network.console.call';
  const expected = `the console believes this agent, and has tenant/${config.tenant}`;
  const url = new URL(`${(config.saas_url ?? '').replace(/\/+$/, '')}/api/branch-exists`);
  url.search = `name=tenant/${config.tenant}`;
  try {
    const request = { method: 'GET', url, signal, deadlineMs: DEADLINE_MS, maxBytes: MAX_BYTES } as const;
    const response = await requestWithToken(callers.client('console'), request, () =>
      callers.authorize('GET', url),
    );
    response.discard();
    const { status } = response;
    if (status === 200) {
      const standing = await askStanding(patient, callers, signal);
      if (standing.kind === 'over')
        return fail(name, `${standing.message} (${standing.code})`, expected, ENROL_ANEW, 4);
      const known = knownEnd(patient);
      if (known !== null && standing.kind === 'unsure') return fail(name, known, expected, ENROL_ANEW, 4);
      const who = standing.kind === 'let_in' ? `lets in agent ${config.agent_id}, and ` : '';
      return ok(name, `${who}has tenant/${config.tenant}`, expected);
    }
    if (status === 404)
      return fail(name, `it has no tenant/${config.tenant}`, expected, 'contact support', 4);
    if (status === 401 || status === 403)
      return fail(name, `it answers ${status}: this agent's key is not believed`, expected, ENROL_AGAIN, 4);
    return fail(name, `it answers ${status}`, expected, 'look at the console; the agent tries again');
  } catch (error) {
    signal.throwIfAborted();
    return fail(name, (error as Error).message, expected, null);
  }
}

/** The branch's tip, asked for as every check of the agent does; or the raw manifest. */
export function sourceFinding(patient: Patient, callers: Callers, signal: AbortSignal): Promise<Finding> {
  return patient.loaded.config.source.kind === 'git'
    ? gitFinding(patient, callers, signal)
    : rawFinding(patient, callers, signal);
}

/** A token that enrolment gave ends with the agent: another one cannot be put in its place by hand. */
async function tokenIsOver(patient: Patient, callers: Callers, signal: AbortSignal): Promise<boolean> {
  if (knownEnd(patient) !== null) return true;
  const standing = await askStanding(patient, callers, signal).catch(() => null);
  signal.throwIfAborted();
  return standing?.kind === 'over';
}

const SEE_CONSOLE = `see network.console.call; ${ENROL_ANEW}`;

async function gitFinding(patient: Patient, callers: Callers, signal: AbortSignal): Promise<Finding> {
  const { config } = patient.loaded;
  const name = 'network.source.call';
  const expected = `a git repository with the branch tenant/${config.tenant}`;
  const ref = `refs/heads/tenant/${config.tenant}`;
  try {
    const git = createSmartHttp({
      http: callers.client('source'),
      url: config.source.url,
      credentials: await callers.credentials.gitToken(),
      signal,
      remainingMs: () => DEADLINE_MS,
      now: () => callers.clock.now(),
    });
    const refs = await listRefs(git, await readAdvertisement(git, MAX_BYTES), ref, MAX_BYTES);
    const tip = refs.get(ref);
    if (tip !== undefined) return ok(name, `its tip is ${tip.oid.slice(0, 12)}`, expected);
    return fail(name, 'no such branch', expected, 'contact support: the branch has to be made', 4);
  } catch (error) {
    signal.throwIfAborted();
    const fault = toGitFault(error);
    const setback = toSetback(fault);
    if (fault.code === 'credentials_refused' && (await tokenIsOver(patient, callers, signal)))
      return fail(
        name,
        `the git token of this agent is in force no more, as the agent itself`,
        expected,
        SEE_CONSOLE,
        4,
      );
    return fail(name, setback.message, expected, null, setback.kind === 'stalled' ? 4 : 5);
  }
}

async function rawFinding(
  { loaded: { config } }: Patient,
  callers: Callers,
  signal: AbortSignal,
): Promise<Finding> {
  const name = 'network.source.call';
  const expected = `manifest.json of tenant/${config.tenant}`;
  const url = `${config.source.url.replace(/\/+$/, '')}/raw/tenant/${config.tenant}/manifest.json`;
  try {
    const token = await callers.credentials.gitToken();
    const pair = token?.includes(':') ? token : `x-access-token:${token}`;
    const basic = `Basic ${Buffer.from(pair).toString('base64')}`;
    const response = await callers.client('source').request({
      method: 'GET',
      url,
      headers: token === null ? {} : { authorization: basic },
      signal,
      deadlineMs: DEADLINE_MS,
      maxBytes: MANIFEST_MAX_BYTES,
    });
    response.discard();
    const { status } = response;
    if (status === 200) return ok(name, 'it is there', expected);
    if (status === 401 || status === 403)
      return fail(name, `status ${status}`, expected, 'put a valid token into credentials_dir/git-token', 4);
    if (status === 404) return warn(name, 'status 404', expected, 'publish a release, or correct source.url');
    return fail(name, `status ${status}`, expected, null);
  } catch (error) {
    signal.throwIfAborted();
    return fail(name, (error as Error).message, expected, null);
  }
}
