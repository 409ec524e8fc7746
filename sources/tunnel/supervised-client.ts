import type { Clock } from '../../reconciler/ports.ts';
import type { Log } from '../../system/log.ts';
import { createRedactor, scrubText } from '../../system/redaction.ts';
import { createLastWords, shownCause } from './client-failure.ts';
import { startClient } from './client-process.ts';
import { clientMark } from './orphan-clients.ts';
import type { TunnelProgram } from './tunnel-program.ts';

/** What became of one process. `ready`: it was connected at some time; `cause`: why it no longer is, without secrets. */
export interface Supervision {
  readonly ready: boolean;
  readonly cause: string;
}

export interface ClientToSupervise {
  readonly program: TunnelProgram;
  readonly file: string;
  readonly configuration: string;
  readonly folder: string;
  /** The agent's, of which a client gets almost nothing. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Never to be shown. */
  readonly secrets: readonly string[];
}

/** From the start of the process to the line that says it is connected. */
const READY_TIMEOUT_MS = 30_000;
const GRACE_MS = 2_000;
/** The token stands in its configuration, the agent's own secrets nowhere: of the environment it gets only these. */
const PASSED_ON = ['PATH', 'TZ', 'SystemRoot', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

/**
 * Runs one client until it fails, ends or the signal aborts; it has ended when this resolves. It counts as connected from the
 * line that says so to the first that says otherwise, or its end.
 */
export async function superviseClient(
  deps: { readonly clock: Clock; readonly log: Log; readonly onReady: () => void },
  client: ClientToSupervise,
  signal: AbortSignal,
): Promise<Supervision> {
  const { program, folder } = client;
  const redactor = createRedactor(client.secrets);
  const read = program.reader();
  const lastWords = createLastWords();
  const failed = Promise.withResolvers<string>();
  const readyOrOver = new AbortController();
  let ready = false;
  let over = false;

  const onLine = (raw: string, stream: 'stdout' | 'stderr') => {
    const line = scrubText(redactor.text(raw));
    deps.log.debug('Tunnel client', { program: program.name, line });
    if (stream === 'stderr') lastWords.add(line);
    const news = over ? null : read(line);
    if (news?.kind === 'failed') failed.resolve(news.cause);
    if (news?.kind !== 'ready' || ready) return;
    ready = true;
    readyOrOver.abort();
    deps.onReady();
  };

  const mark = clientMark(folder);
  const running = startClient({
    file: client.file,
    args: program.arguments(client.configuration),
    environment: { ...passedOn(client.environment), ...program.environment, [mark.name]: mark.value },
    folder,
    onLine,
  });
  const onAbort = () => failed.resolve('the agent stops');
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const silent = deps.clock.sleep(READY_TIMEOUT_MS, readyOrOver.signal).then(
    () => `it did not connect within ${READY_TIMEOUT_MS / 1_000} s`,
    // It did: nothing to tell.
    () => new Promise<never>(() => undefined),
  );
  const itself = running.ended.then((how) => {
    const words = lastWords.cause();
    return `${program.name} ended by itself (${how})${words === '' ? '' : `: ${words}`}`;
  });
  const cause = await Promise.race([failed.promise, silent, itself]);
  over = true;
  readyOrOver.abort();
  signal.removeEventListener('abort', onAbort);
  await running.stop(GRACE_MS);
  return { ready, cause: shownCause(cause) };
}

function passedOn(environment: ClientToSupervise['environment']): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
