import { type Readable, Transform, type TransformCallback, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { collectStderr, type GitProcess, gitEnvironment, killGit, startGit } from './git-command.ts';
import type { ConsoleLimits } from './limits.ts';
import { RequestRefused } from './refusal.ts';

const HEAD_MAX_BYTES = 16 * 1024;

export interface GitCall {
  readonly slug: string;
  readonly service: 'git-upload-pack' | 'git-receive-pack';
  /** Null for `GET info/refs`. */
  readonly body: Readable | null;
  readonly gzip: boolean;
  /** As the client says it, null when it does not. */
  readonly contentLength: number | null;
  /** Value of the `Git-Protocol` header. */
  readonly protocol: string | null;
  readonly user: string;
  readonly remoteAddress: string;
}

export interface GitAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Destroying it ends git. */
  readonly body: Readable;
  /** Resolves with git's exit code when it and its children have ended; -1 when it was killed. Never rejects. */
  readonly ended: Promise<{ readonly code: number; readonly stderr: string }>;
}

export interface GitBackend {
  /** Resolves when git has answered with its headers; the bodies go on streaming both ways. */
  serve(call: GitCall): Promise<GitAnswer>;
  /** Ends every git process that is still at work, and waits for it. */
  close(): Promise<void>;
}

/**
 * Smart HTTP through git's own `git http-backend` (CGI, RFC 3875; gitprotocol-http(5)). The dumb protocol is not offered.
 * Compressed requests are inflated here, under a cap, because http-backend has none.
 */
export function createGitBackend(root: string, limits: ConsoleLimits): GitBackend {
  const working = new Map<GitProcess, Promise<unknown>>();
  return {
    async serve(call) {
      const maxBytes =
        call.service === 'git-receive-pack' ? limits.gitPushRequestBytes : limits.gitFetchRequestBytes;
      if ((call.contentLength ?? 0) > maxBytes) throw tooLarge(maxBytes);
      if (working.size >= limits.gitProcesses) {
        throw new RequestRefused(503, 'busy', 'too many git requests at one time; try again in a second', {
          'retry-after': '1',
        });
      }
      const child = startGit(['http-backend'], cgiEnvironment(root, call));
      const stderr = collectStderr(child);
      const ended = new Promise<{ code: number; stderr: string }>((resolve) => {
        child.on('error', (error) => resolve({ code: -1, stderr: error.message }));
        child.on('close', (code) => resolve({ code: code ?? -1, stderr: stderr() }));
      }).finally(() => {
        clearTimeout(deadline);
        working.delete(child);
      });
      working.set(child, ended);
      const deadline = setTimeout(() => killGit(child), limits.gitDeadlineMs);
      child.stdout.once('close', () => {
        // Closed before its end: the client has gone.
        if (!child.stdout.readableEnded) killGit(child);
      });
      let refusal: unknown = null;
      void feed(call, child, maxBytes).catch((error: unknown) => {
        refusal = error;
        killGit(child);
      });
      const head = await readHead(child.stdout);
      if (head === null) {
        killGit(child);
        const { code, stderr: said } = await ended;
        if (refusal instanceof RequestRefused) throw refusal;
        throw new Error(`git http-backend ended (${code}) without an answer: ${said}`);
      }
      return { ...head, body: child.stdout, ended };
    },
    async close() {
      for (const child of working.keys()) killGit(child);
      await Promise.all(working.values());
    },
  };
}

function cgiEnvironment(root: string, call: GitCall): Record<string, string> {
  const path = call.body === null ? 'info/refs' : call.service;
  // Inflated here, so its length is not known: git then reads to the end.
  const length = call.gzip ? null : call.contentLength;
  return gitEnvironment({
    GATEWAY_INTERFACE: 'CGI/1.1',
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: `/${call.slug}.git/${path}`,
    REQUEST_METHOD: call.body === null ? 'GET' : 'POST',
    QUERY_STRING: call.body === null ? `service=${call.service}` : '',
    CONTENT_TYPE: call.body === null ? '' : `application/x-${call.service}-request`,
    REMOTE_USER: call.user,
    REMOTE_ADDR: call.remoteAddress,
    ...(call.protocol === null ? {} : { GIT_PROTOCOL: call.protocol }),
    ...(length === null ? {} : { CONTENT_LENGTH: String(length) }),
  });
}

async function feed(call: GitCall, child: GitProcess, maxBytes: number): Promise<void> {
  const sink = inputOf(child);
  if (call.body === null) sink.end();
  else if (call.gzip) await pipeline(call.body, createGunzip(), cap(maxBytes), sink);
  else await pipeline(call.body, cap(maxBytes), sink);
}

/**
 * git's input. What comes after git has closed it is dropped: git ended early, has said why on its output, and the rest of
 * the request must still be read for the client to hear it.
 */
function inputOf(child: GitProcess): Writable {
  child.stdin.on('error', () => {});
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (child.stdin.writable) child.stdin.write(chunk, () => done());
      else done();
    },
    final(done) {
      child.stdin.end();
      done();
    },
  });
}

function cap(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(tooLarge(maxBytes));
      else done(null, chunk);
    },
  });
}

function tooLarge(maxBytes: number): RequestRefused {
  return new RequestRefused(
    413,
    'too_large',
    `expected a git request of at most ${maxBytes} bytes, found more`,
  );
}

/** Reads the CGI header block and leaves the body in the stream; null when the stream ends before it does. */
async function readHead(
  stream: Readable,
): Promise<{ status: number; headers: ReadonlyMap<string, string> } | null> {
  const block = await new Promise<string | null>((resolve) => {
    let seen = Buffer.alloc(0);
    const settle = (text: string | null) => {
      stream.off('data', onData).off('end', onEnd).off('close', onEnd).pause();
      resolve(text);
    };
    const onEnd = () => settle(null);
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = /\r?\n\r?\n/.exec(seen.toString('latin1'));
      if (end !== null) {
        const rest = seen.subarray(end.index + end[0].length);
        settle(seen.subarray(0, end.index).toString('latin1'));
        if (rest.length > 0) stream.unshift(rest);
      } else if (seen.length > HEAD_MAX_BYTES) settle(null);
    };
    stream.on('data', onData).on('end', onEnd).on('close', onEnd);
  });
  if (block === null) return null;
  const headers = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const status = Number.parseInt(headers.get('status') ?? '200', 10);
  headers.delete('status');
  return { status, headers };
}
