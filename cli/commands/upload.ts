import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { accountName } from '../../agent/effective-settings.ts';
import type { AgentOperations } from '../../agent/operations.ts';
import type { UploadState } from '../../schemas/upload.ts';
import { withOperations } from '../agent-access.ts';
import { EXIT } from '../exit-codes.ts';
import { type Globals, globalsOf } from '../globals.ts';
import { bytes, type Terminal } from '../terminal.ts';

const LOOK_EVERY_MS = 200;
/** What the person may change by agent.yaml, against what the file or the console decides. */
const CONSENT = new Set(['uploads_disabled', 'path_not_allowed', 'file_too_large', 'place_not_allowed']);
const WRONG_FILE = new Set(['file_missing', 'not_a_file', 'request_invalid']);

export function addUpload(program: Command): void {
  program
    .command('upload <files...>')
    .description('send local files to the console, as agent.yaml allows (uploads)')
    .option('--note <text>', 'what they are for, for whoever receives them')
    .action(async (files: string[], options: { note?: string }, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      const paths = files.map((file) => resolve(file));
      await withOperations(globals, 'upload', async (operations) => {
        const asked = { paths, note: options.note ?? null, by: accountName() };
        const { uploads, console } = await operations.upload(asked, signal);
        const known = console ? await watch(operations, uploads, globals) : uploads;
        const ended = await Promise.all(known.map((upload, index) => asSeenHere(upload, paths[index] ?? '')));
        terminal.clearProgress();
        const failed = ended.filter(({ state }) => state !== 'uploaded');
        const exitCode = Math.min(...failed.map(exitOf), failed.length === 0 ? EXIT.done : 255);
        const [first] = failed.filter((each) => exitOf(each) === exitCode);
        terminal.document({ uploads: ended, ...(first === undefined ? {} : { error: errorOf(first) }) });
        for (const upload of ended) tell(upload, terminal);
        process.exitCode = exitCode;
      });
    });
}

/** Until every file has arrived, is refused, or an attempt has failed: then the agent goes on by itself. */
async function watch(
  operations: AgentOperations,
  uploads: UploadState[],
  { terminal, signal }: Globals,
): Promise<UploadState[]> {
  let now = uploads;
  for (;;) {
    const open = now.filter(
      ({ state, attempts }) => state === 'sending' || (state === 'waiting' && attempts === 0),
    );
    if (open.length === 0) return now;
    const sent = now.reduce((sum, each) => sum + each.sent, 0);
    const size = now.reduce((sum, each) => sum + (each.size ?? 0), 0);
    terminal.progress(
      `sending ${bytes(sent)} of ${bytes(size)}, ${open.length} of ${now.length} files to go …`,
    );
    try {
      await sleep(LOOK_EVERY_MS, undefined, { signal });
    } catch {
      terminal.note('\nedge-agent: the files are queued and go on: edge-agent retry --list');
      signal.throwIfAborted();
    }
    now = (await operations.uploads({ uploads: now }, signal)).uploads;
  }
}

/** The agent tells nothing of folders it may not send from, not even that a file is missing there; whoever typed the name may know. */
async function asSeenHere(upload: UploadState, path: string): Promise<UploadState> {
  if (upload.code !== 'path_not_allowed') return upload;
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => error.code);
  if (found !== 'ENOENT') return upload;
  return {
    ...upload,
    code: 'file_missing',
    message: `${path}: expected a file that can be read, found none`,
  };
}

function exitOf({ state, code }: UploadState): number {
  if (state !== 'refused') return EXIT.notYet;
  if (code === null || code === 'queue_full') return EXIT.notYet;
  return CONSENT.has(code) ? EXIT.refused : WRONG_FILE.has(code) ? EXIT.usage : EXIT.stalled;
}

function errorOf(upload: UploadState): { code: string; message: string } {
  const message = upload.message ?? 'it was not sent yet';
  return { code: upload.code ?? 'upload_waiting', message };
}

function tell(upload: UploadState, terminal: Terminal): void {
  const { name, size, message } = upload;
  if (upload.state === 'uploaded') {
    terminal.line(`${terminal.paint('green', '✔')} ${name}  ${bytes(size ?? 0)} is at the console`);
    return;
  }
  terminal.note(
    upload.state === 'refused'
      ? `edge-agent: ${name} is not sent: ${message}`
      : `edge-agent: not yet: ${name} waits in the queue and is tried again: ${message ?? 'nothing was sent yet'}`,
  );
}
