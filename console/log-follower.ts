import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Notices } from './notices.ts';
import type { ConsoleState } from './state.ts';
import type { LogStream } from './store/ports/log-rows.ts';

const CHUNK_BYTES = 64 * 1024;
/** Proxies and this server's own idle limit end a connection on which nothing moves. */
const COMMENT_EVERY_MS = 20_000;
/** The last output may come after the word that the run has ended. */
const LAST_WORDS_MS = 2_000;

/** Whether the console has heard of the run at all: that it is asked for, goes on, has printed, or was reported. */
export async function knowsRun(state: ConsoleState, agentId: string, runId: string): Promise<boolean> {
  return (
    (await state.progress.get(agentId, runId)).length > 0 ||
    (await state.logs.list(agentId, runId)).length > 0 ||
    (await state.reports.ending(agentId, runId)) !== null ||
    (await state.commands.forRun(agentId, runId)) !== null
  );
}

/** How the attempt ended; undefined as long as something may come. Its progress may be forgotten before its report is. */
async function endingOf(
  state: ConsoleState,
  { agent_id, run_id, attempt }: LogStream,
): Promise<string | undefined> {
  const progress = await state.progress.get(agent_id, run_id);
  const own = progress.find((run) => run.attempt === attempt && run.state !== 'running');
  if (own !== undefined) return own.state;
  const report = await state.reports.ending(agent_id, run_id);
  if (report !== null) return attempt < report.attempt ? 'retried' : report.status;
  if (progress.length > 0) return undefined;
  const asked = (await state.commands.forRun(agent_id, run_id))?.state;
  return asked === 'refused' || asked === 'expired' ? asked : undefined;
}

/**
 * Sends a log as server-sent events until the run has ended, the reader has gone or the console closes. `event: log` has
 * `{offset, data}` (base64) and as its id the offset after it, with which a reader goes on; `event: end` has `{state}`.
 * One chunk is in memory however slow the reader is.
 */
export async function followLog(
  parts: {
    readonly state: ConsoleState;
    readonly notices: Notices;
    readonly leaving: AbortSignal;
    readonly answer: ServerResponse;
  },
  stream: LogStream,
  from: number,
): Promise<void> {
  const { state, notices, leaving, answer } = parts;
  const gone = new AbortController();
  const over = AbortSignal.any([leaving, gone.signal]);
  answer.once('close', () => gone.abort(new Error('the reader has gone')));

  let wake = () => {};
  /** True when something has happened since the file was looked at. */
  let news = false;
  const tell = () => {
    news = true;
    wake();
  };
  const isOurs = (agentId: string, runId: string) => agentId === stream.agent_id && runId === stream.run_id;
  const stops = [
    notices.log.subscribe(({ agent_id, run_id }) => {
      if (isOurs(agent_id, run_id)) tell();
    }),
    notices.run.subscribe(({ agent_id, run_id }) => {
      if (isOurs(agent_id, run_id)) tell();
    }),
    notices.notify.subscribe(({ agent_id, report }) => {
      if (isOurs(agent_id, report.run_id)) tell();
    }),
    notices.command.subscribe(({ agent_id }) => {
      if (agent_id === stream.agent_id) tell();
    }),
  ];
  over.addEventListener('abort', tell, { once: true });

  const write = async (text: string) => {
    if (answer.write(text) || over.aborted) return;
    await once(answer, 'drain', { signal: over }).catch(() => {});
  };
  /** False when nothing has happened for so long. */
  const sleep = async (ms: number): Promise<boolean> => {
    if (news) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    wake = () => {};
    return news;
  };
  const ending = () => endingOf(state, stream);

  let offset = from;
  const sendWhatIsThere = async (): Promise<boolean> => {
    const handle = await state.logs.open(stream);
    if (handle === null) return false;
    const before = offset;
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      while (!over.aborted) {
        const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, offset);
        if (bytesRead === 0) break;
        const data = JSON.stringify({ offset, data: chunk.toString('base64', 0, bytesRead) });
        offset += bytesRead;
        await write(`event: log\nid: ${offset}\ndata: ${data}\n\n`);
      }
    } finally {
      await handle.close();
    }
    return offset > before;
  };

  try {
    let endedAt: number | null = null;
    while (!over.aborted) {
      news = false;
      const ended = await ending();
      if (await sendWhatIsThere()) continue;
      if (ended === undefined) {
        if (!(await sleep(COMMENT_EVERY_MS))) await write(': still here\n\n');
        continue;
      }
      endedAt ??= performance.now();
      const left = LAST_WORDS_MS - (performance.now() - endedAt);
      if (left > 0) {
        await sleep(left);
        continue;
      }
      await write(`event: end\ndata: ${JSON.stringify({ state: ended, offset })}\n\n`);
      return;
    }
  } finally {
    over.removeEventListener('abort', tell);
    for (const stop of stops) stop();
  }
}
