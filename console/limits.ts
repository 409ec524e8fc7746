/** Every cap and deadline of the console, with units in the names. Tests make some of them smaller. */
export interface ConsoleLimits {
  readonly jsonBytes: number;
  readonly enrolBytes: number;
  /** Two streams of 8 MiB in which every byte becomes a six-byte JSON escape are 96 MiB. */
  readonly notifyBytes: number;
  readonly statusBytes: number;
  readonly eventsBytes: number;
  /** Report bodies being received at one time, over all agents; more is answered 503. */
  readonly bodiesInFlightBytes: number;
  readonly artifactBytes: number;
  /** A file of the tenant branch read through /raw. */
  readonly branchFileBytes: number;
  /** What a fetching client sends: wants and haves, inflated. */
  readonly gitFetchRequestBytes: number;
  /** What a publisher pushes, inflated. */
  readonly gitPushRequestBytes: number;
  readonly gitDeadlineMs: number;
  readonly gitProcesses: number;
  /** A connection on which nothing moves for so long is ended. */
  readonly idleConnectionMs: number;
  /** From the first byte of a request to its last, uploads and pushes included. */
  readonly requestDeadlineMs: number;
  readonly closeGraceMs: number;
  /** Token buckets: so many at once, refilled at so many a second. */
  readonly agentBurst: number;
  readonly agentPerSecond: number;
  readonly strangerBurst: number;
  readonly strangerPerSecond: number;
  /** Kept of every agent; the oldest go first. */
  readonly keepRuns: number;
  readonly keepRunBytes: number;
  readonly keepEvents: number;
  readonly keepEventLogs: number;
}

const MIB = 1024 ** 2;

export const DEFAULT_LIMITS: ConsoleLimits = {
  jsonBytes: 64 * 1024,
  enrolBytes: 64 * 1024,
  notifyBytes: 104 * MIB,
  statusBytes: 4 * MIB,
  eventsBytes: 8 * MIB,
  bodiesInFlightBytes: 320 * MIB,
  artifactBytes: 2_048 * MIB,
  branchFileBytes: 8 * MIB,
  gitFetchRequestBytes: 16 * MIB,
  gitPushRequestBytes: 512 * MIB,
  gitDeadlineMs: 10 * 60_000,
  gitProcesses: 32,
  idleConnectionMs: 2 * 60_000,
  requestDeadlineMs: 30 * 60_000,
  closeGraceMs: 2_000,
  agentBurst: 200,
  agentPerSecond: 20,
  strangerBurst: 300,
  strangerPerSecond: 20,
  keepRuns: 5_000,
  keepRunBytes: 1_024 * MIB,
  keepEvents: 100_000,
  keepEventLogs: 64,
};
