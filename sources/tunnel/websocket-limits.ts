/** Of the whole upgrade: connection, proxy, TLS and answer. */
export const UPGRADE_DEADLINE_MS = 30_000;
/** From the upgrade to the console's hello (contract, section 8). */
export const HELLO_DEADLINE_MS = 10_000;
/** Without a data frame, or without an answer to a ping: the connection is dead. */
export const SILENCE_MS = 45_000;
/** What a console may ask for as `heartbeat_ms`; beyond the upper bound one lost heartbeat would be silence. */
export const HEARTBEAT_MIN_MS = 100;
export const HEARTBEAT_MAX_MS = 30_000;
/** How often a jump of the clock is looked for. */
export const TICK_MS = 5_000;
/** After a goaway: for commands that wait to be persisted and acknowledged. */
export const LEAVE_DEADLINE_MS = 10_000;
/** For the console to answer a close. */
export const CLOSE_DEADLINE_MS = 2_000;
/** Frames that are none, before the console is hung up on. */
export const INVALID_FRAMES_MAX = 20;
/** Commands that wait to be persisted: beyond either, the socket is not read. */
export const COMMANDS_WAITING_MAX = 64;
export const COMMANDS_WAITING_MAX_BYTES = 4 * 1024 * 1024;
/** Acknowledgements that go out together. */
export const ACK_BATCH = 16;
/** Bytes that wait to be sent: beyond the first, no progress is taken; beyond the second, the socket is not read. */
export const OUTGOING_MAX_BYTES = 1024 * 1024;
export const OUTGOING_HOLD_BYTES = 2 * OUTGOING_MAX_BYTES;
/** Progress is taken again below this. */
export const OUTGOING_LOW_BYTES = 256 * 1024;
/** Between two nudges that are passed on; those between become one. */
export const NUDGE_EVERY_MS = 1_000;

export const RECONNECT_FIRST_MS = 1_000;
export const RECONNECT_MAX_MS = 64_000;
/** After an answer that only a person changes (401, 404, a redirect). */
export const RECONNECT_SLOW_MS = 5 * 60_000;
/** The longest wait that a console can ask for. */
export const RECONNECT_ASKED_MAX_MS = 15 * 60_000;
