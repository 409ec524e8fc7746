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
  /** A file an agent sends. */
  readonly uploadBytes: number;
  /** All files of one agent, those that are not finished as large as they will be. */
  readonly uploadAgentBytes: number;
  readonly uploadAgentFiles: number;
  /** Of one agent, not finished. */
  readonly uploadsOpen: number;
  readonly uploadOpenDays: number;
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
  /** Agents connected at one time. */
  readonly tunnelSessions: number;
  readonly tunnelHelloMs: number;
  readonly tunnelHeartbeatMs: number;
  /** A session that says nothing, or takes nothing of what was sent to it, for so long is ended. */
  readonly tunnelSilenceMs: number;
  /** Waiting to be sent to one agent; more waits in the database, or is told once there is room. */
  readonly tunnelBufferBytes: number;
  /** Token bucket of what one agent sends: beyond it, the console stops reading for a while. */
  readonly tunnelBurst: number;
  readonly tunnelPerSecond: number;
  readonly commandsInFlight: number;
  readonly commandResendMs: number;
  readonly commandsWaiting: number;
  readonly keepCommands: number;
  readonly keepRunProgress: number;
  readonly logAckMs: number;
  readonly logAckBytes: number;
  /** Kept of one stream of one attempt; the rest is taken and dropped. */
  readonly logStreamBytes: number;
  readonly keepAgentLogBytes: number;
  readonly keepAgentLogStreams: number;
  readonly keepLogBytes: number;
  /** Operators that follow a log at one time. */
  readonly logFollowers: number;
  /** Of one key or person, so that nobody shuts out the others. */
  readonly logFollowersEach: number;
  /** Searches of logs at one time. */
  readonly logSearches: number;
  readonly logSearchesEach: number;
  /** A forge's webhook. */
  readonly hookBytes: number;
  readonly hookBurst: number;
  readonly hookPerSecond: number;
  /** Calls that were made before the newer key, or the newer process, spoke may arrive so much later. */
  readonly keyOverlapMs: number;
  readonly processOverlapMs: number;
  readonly keepAudit: number;
  /** What one person or key asks of agents: requests at once, and a second; a request for many agents is one. */
  readonly askBurst: number;
  readonly askPerSecond: number;
  /** What is kept a day of one person's or key's requests with an `Idempotency-Key`: answers (some 60 KB), and requests in all. */
  readonly repeatableAnswers: number;
  readonly repeatableRequests: number;
  /** Agents of a flow, those with least to do, among which the Builder's run is given to one. */
  readonly flowHosts: number;
  /** Agents that one action may be about, and actions for many that are done at one time. */
  readonly actionAgents: number;
  readonly actionBytes: number;
  readonly actionsAtOnce: number;
  /** Of one key or person, so that nobody shuts out the others. */
  readonly actionsAtOnceEach: number;
  /** Requests that wait for the end of the run they asked for. */
  readonly runWaiters: number;
  /** Attempts to sign in, at once and then a minute: of one address, and at one login (or in one browser that is known). */
  readonly signInAddressBurst: number;
  readonly signInAddressPerMinute: number;
  readonly signInLoginBurst: number;
  readonly signInLoginPerMinute: number;
  /** Passwords that are reckoned at one time (19 MiB each), and that wait for it. */
  readonly passwordsAtOnce: number;
  readonly passwordsWaiting: number;
  /** Entries of what changed, kept of every agent. */
  readonly keepChanges: number;
  /** Of every tenant, beside those that an agent has or wants. */
  readonly keepReleases: number;
  /** Pages that are told of changes as they come. */
  readonly liveSubscribers: number;
  readonly liveSubscribersEach: number;
  /** What may wait in memory for one of them; it is ended then. */
  readonly liveBufferBytes: number;
  /** A reader of changes is sent something so often, and is looked at whether they still may. */
  readonly liveBeatMs: number;
  /** A session that is not used for so long ends, and any ends after `sessionMaxMs`. */
  readonly sessionIdleMs: number;
  readonly sessionMaxMs: number;
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
  uploadBytes: 2_048 * MIB,
  uploadAgentBytes: 10_240 * MIB,
  uploadAgentFiles: 10_000,
  uploadsOpen: 1_000,
  uploadOpenDays: 7,
  branchFileBytes: 8 * MIB,
  gitFetchRequestBytes: 16 * MIB,
  gitPushRequestBytes: 512 * MIB,
  gitDeadlineMs: 10 * 60_000,
  gitProcesses: 32,
  idleConnectionMs: 2 * 60_000,
  requestDeadlineMs: 30 * 60_000,
  closeGraceMs: 2_000,
  agentBurst: 200,
  agentPerSecond: 100,
  strangerBurst: 300,
  strangerPerSecond: 20,
  keepRuns: 5_000,
  keepRunBytes: 1_024 * MIB,
  keepEvents: 100_000,
  keepEventLogs: 64,
  tunnelSessions: 20_000,
  tunnelHelloMs: 10_000,
  tunnelHeartbeatMs: 30_000,
  tunnelSilenceMs: 45_000,
  tunnelBufferBytes: 64 * 1024,
  tunnelBurst: 2_000,
  tunnelPerSecond: 500,
  commandsInFlight: 64,
  commandResendMs: 15_000,
  commandsWaiting: 10_000,
  keepCommands: 1_000,
  keepRunProgress: 5_000,
  logAckMs: 100,
  logAckBytes: 256 * 1024,
  logStreamBytes: 64 * MIB,
  keepAgentLogBytes: 512 * MIB,
  keepAgentLogStreams: 4_000,
  keepLogBytes: 8_192 * MIB,
  logFollowers: 100,
  logFollowersEach: 20,
  logSearches: 4,
  logSearchesEach: 2,
  hookBytes: 8 * MIB,
  hookBurst: 30,
  hookPerSecond: 1,
  keyOverlapMs: 30_000,
  processOverlapMs: 5_000,
  keepAudit: 100_000,
  askBurst: 60,
  askPerSecond: 10,
  repeatableAnswers: 10_000,
  repeatableRequests: 100_000,
  flowHosts: 10_000,
  actionAgents: 10_000,
  actionBytes: 256 * 1024,
  actionsAtOnce: 4,
  actionsAtOnceEach: 2,
  runWaiters: 200,
  signInAddressBurst: 20,
  signInAddressPerMinute: 10,
  signInLoginBurst: 10,
  signInLoginPerMinute: 2,
  passwordsAtOnce: 2,
  passwordsWaiting: 64,
  keepChanges: 500,
  keepReleases: 1_000,
  liveSubscribers: 500,
  liveSubscribersEach: 50,
  liveBufferBytes: 64 * 1024,
  liveBeatMs: 15_000,
  sessionIdleMs: 12 * 60 * 60_000,
  sessionMaxMs: 7 * 24 * 60 * 60_000,
};
