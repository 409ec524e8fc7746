import type { PublishedFlow, PublishedRelease } from './publisher.ts';

/** What is in the way of a revision, in the words of the agent's own sources. */
export interface Setback {
  readonly kind: 'stalled' | 'refused' | 'retry';
  readonly code: string;
  readonly message: string;
  /** The flow that it is about; null: the revision as a whole. */
  readonly flow: string | null;
  /** Event that says so first. */
  readonly reason:
    | 'DigestQuarantined'
    | 'ReleaseRefused'
    | 'FlowStalled'
    | 'SourceFailed'
    | 'BundleFetchFailed'
    | 'ActivationDeferred'
    | 'RolledBack';
}

/** sources/artifacts/bundle-source.ts, reconciler/steps/fetch.ts. */
export function quarantined(flow: PublishedFlow): Setback {
  const found = `GET https://artifacts.acme.example/${flow.id}/${flow.version}.tar.gz: expected SHA-256 ${flow.sha256}, found ${flow.sha256.split('').reverse().join('')} in ${flow.size + 4} bytes`;
  return {
    kind: 'stalled',
    code: 'quarantined',
    flow: flow.id,
    reason: 'DigestQuarantined',
    message: `flow ${flow.id}: 3 whole downloads did not match sha256 ${flow.sha256}: ${found}; publish a fixed version, or run "edge-agent retry ${flow.id}"`,
  };
}

/** trust/root.ts, describeShortfall. */
export function signatureMissing(): Setback {
  return {
    kind: 'refused',
    code: 'threshold_not_met',
    flow: null,
    reason: 'ReleaseRefused',
    message:
      'release.jws.json: expected valid signatures of 2 distinct release keys of root 2, found 1 (4vC1bq0c0m6wJH6sGvdYqE9x0xJb0v5s8T2mJf3kq7A)',
  };
}

export function noNetwork(slug: string): Setback {
  return {
    kind: 'retry',
    code: 'network',
    flow: null,
    reason: 'SourceFailed',
    message: `GET https://console.example/git/${slug}.git/info/refs: expected an answer, found: getaddrinfo EAI_AGAIN console.example`,
  };
}

/** store: what names the step, then what the system said. */
export function diskFull(flow: PublishedFlow): Setback {
  return {
    kind: 'retry',
    code: 'disk_full',
    flow: flow.id,
    reason: 'BundleFetchFailed',
    message: `flow ${flow.id}: writing staging/${flow.sha256}.part: the disk is full (ENOSPC: no space left on device, write); free some space`,
  };
}

/** reconciler/steps/activate.ts. */
export function outsideWindow(flow: PublishedFlow, at: Date): Setback {
  return {
    kind: 'retry',
    code: 'outside_window',
    flow: flow.id,
    reason: 'ActivationDeferred',
    message: `flow ${flow.id}: expected a minute of maintenance.windows (* 2-4 * * *), found ${at.toISOString()}`,
  };
}

/** reconciler/roll-back.ts after reconciler/steps/health.ts. */
export function rolledBack(flow: PublishedFlow, previous: string): Setback {
  return {
    kind: 'stalled',
    code: 'health_failed',
    flow: flow.id,
    reason: 'RolledBack',
    message: `flow ${flow.id}: ${previous} is active again, the health check failed: exit code 1 (ModuleNotFoundError: No module named 'requests')`,
  };
}

export function browserMissing(flow: PublishedFlow): Setback {
  return {
    kind: 'stalled',
    code: 'browser_missing',
    flow: flow.id,
    reason: 'FlowStalled',
    message: `flow ${flow.id}: playwright install chromium: exit code 1: Error: connect ETIMEDOUT 20.60.1.4:443`,
  };
}

/** reconciler/plan.ts, mayRun. */
export function wrongArchitecture(flow: PublishedFlow): Setback {
  return {
    kind: 'stalled',
    code: 'arch_mismatch',
    flow: flow.id,
    reason: 'FlowStalled',
    message: `flow ${flow.id}: expected a bundle for arm64 or any, found cpu_arch x86_64; publish one for this architecture`,
  };
}

/** The setback of a release for a flow of it; the whole revision when the flow is not in it. */
export const flowIn = (release: PublishedRelease, id: string): PublishedFlow | undefined =>
  release.flows.find((flow) => flow.id === id);
