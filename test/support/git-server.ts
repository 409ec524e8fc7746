import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface GitRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** What the client sent, whole: pkt-lines of git. */
  readonly body: Buffer;
  status: number;
  /** Bytes of the answer's body. */
  answered: number;
}

export interface GitServer {
  /** `http://127.0.0.1:<port>` or, with TLS, `https://localhost:<port>`. */
  readonly origin: string;
  /** Where the bare repositories are. */
  readonly folder: string;
  /** The wire, oldest first. */
  readonly requests: GitRequest[];
  /** `<origin>/<name>.git` */
  url(name: string): string;
  /** Makes a bare repository and gives hands to it. */
  createRepository(name: string): TestRepository;
  /** Asked before git is: true when it has answered itself. Null takes it away. */
  intercept: ((request: GitRequest, response: ServerResponse) => boolean) | null;
  /** `user:token` that has to be sent, or null. Changes take effect at once. */
  credentials: string | null;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A real git server on loopback, port 0: git's own http-backend as CGI. `protocol: 0` hides from git that the client knows
 * protocol 2. With `credentials` every request needs Basic authorization (any user name when it holds no colon).
 */
export async function startGitServer(
  options: { credentials?: string; protocol?: 0 | 2; tls?: { key: string; cert: string } } = {},
): Promise<GitServer> {
  const folder = mkdtempSync(join(tmpdir(), 'git-server-'));
  const backend = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend');
  const sockets = new Set<Socket>();
  const children = new Set<ChildProcessWithoutNullStreams>();
  const requests: GitRequest[] = [];

  const listener = (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request: GitRequest = {
        method: incoming.method as string,
        path: incoming.url as string,
        headers: incoming.headers,
        body: Buffer.concat(chunks),
        status: 0,
        answered: 0,
      };
      requests.push(request);
      response.once('close', () => {
        request.status = response.statusCode;
      });
      if (running.intercept?.(request, response) === true) return;
      if (!isLetIn(request, running.credentials)) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('who are you?');
        return;
      }
      const child = spawn(backend, { env: cgiEnvironment(request, folder, options.protocol ?? 2) });
      children.add(child);
      child.once('close', () => children.delete(child));
      child.stdin.on('error', () => {});
      child.stdin.end(request.body);
      relay(child, request, response);
    });
  };
  const server =
    options.tls === undefined ? createServer(listener) : createSecureServer(options.tls, listener);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = options.tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;

  const running: GitServer = {
    origin,
    folder,
    requests,
    intercept: null,
    credentials: options.credentials ?? null,
    url: (name) => `${origin}/${name}.git`,
    createRepository: (name) => createRepository(join(folder, `${name}.git`)),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return running;
}

export interface TestCommit {
  /** Full ref, such as `refs/heads/tenant/acme`. */
  readonly ref: string;
  /** The whole tree: path → content; a symbolic link as `{ link }`, a submodule as `{ commit }`. */
  readonly files: Readonly<Record<string, string | Uint8Array | { link: string } | { commit: string }>>;
  readonly message?: string;
  /** Default `Ada <ada@example.invalid>`. */
  readonly author?: string;
  /** `<seconds> <zone>`, such as `1700000000 +0530`; default now, UTC. */
  readonly authored?: string;
  readonly committed?: string;
  /** Default: the tip of `ref` when it is there. Null begins a new history. */
  readonly parents?: readonly string[] | null;
}

export interface TestRepository {
  readonly path: string;
  /** Runs git in the repository; its standard output without the last newline. */
  git(...args: string[]): string;
  /** Adds a commit (git fast-import) and gives its id. */
  commit(commit: TestCommit): string;
  /** `git tag`, lightweight, or annotated with a message. */
  tag(name: string, commit: string, message?: string): void;
  /** A stream for `git fast-import`. */
  fastImport(stream: string | Uint8Array): void;
}

/** A bare repository with hands, at `path`. */
export function createRepository(path: string): TestRepository {
  mkdirSync(path, { recursive: true });
  const run = (args: string[], input?: string | Uint8Array) =>
    execFileSync('git', ['-C', path, ...args], {
      encoding: 'utf8',
      input,
      maxBuffer: 1_073_741_824,
      stdio: ['pipe', 'pipe', 'pipe'],
    }).replace(/\n$/, '');
  run(['init', '--quiet', '--bare', '--initial-branch=main', '.']);
  const fastImport = (stream: string | Uint8Array) => void run(['fast-import', '--quiet', '--force'], stream);
  const tip = (ref: string) => {
    try {
      return run(['rev-parse', '--verify', '--quiet', ref]);
    } catch {
      return null;
    }
  };
  return {
    path,
    git: (...args) => run(args),
    fastImport,
    tag(name, commit, message) {
      run(['tag', '--force', ...(message === undefined ? [] : ['-a', '-m', message]), name, commit]);
    },
    commit(commit) {
      const now = `${Math.floor(Date.now() / 1_000)} +0000`;
      const author = commit.author ?? 'Ada <ada@example.invalid>';
      const before = tip(commit.ref);
      const parents = commit.parents === null ? [] : (commit.parents ?? (before === null ? [] : [before]));
      const parts: (string | Uint8Array)[] = [
        parents.length === 0 ? `reset ${commit.ref}\n` : '',
        `commit ${commit.ref}\n`,
        `author ${author} ${commit.authored ?? now}\n`,
        `committer ${author} ${commit.committed ?? commit.authored ?? now}\n`,
        ...data(commit.message ?? 'Change the flows'),
        ...parents.map((parent, index) => `${index === 0 ? 'from' : 'merge'} ${parent}\n`),
        'deleteall\n',
      ];
      for (const [file, content] of Object.entries(commit.files)) {
        if (typeof content === 'string' || content instanceof Uint8Array) {
          parts.push(`M 100644 inline ${file}\n`, ...data(content));
        } else if ('link' in content) parts.push(`M 120000 inline ${file}\n`, ...data(content.link));
        else parts.push(`M 160000 ${content.commit} ${file}\n`);
      }
      fastImport(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
      return tip(commit.ref) as string;
    },
  };
}

function data(content: string | Uint8Array): (string | Uint8Array)[] {
  return [`data ${Buffer.byteLength(content)}\n`, content, '\n'];
}

function isLetIn(request: GitRequest, credentials: string | null): boolean {
  if (credentials === null) return true;
  const sent = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
  return credentials.includes(':') ? sent === credentials : sent.split(':')[1] === credentials;
}

function cgiEnvironment(request: GitRequest, folder: string, protocol: 0 | 2): Record<string, string> {
  const [path = '', query = ''] = request.path.split('?');
  const header = (name: string) => String(request.headers[name] ?? '');
  return {
    ...(process.env as Record<string, string>),
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: decodeURIComponent(path),
    QUERY_STRING: query,
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: header('content-type'),
    CONTENT_LENGTH: String(request.body.length),
    HTTP_CONTENT_ENCODING: header('content-encoding'),
    REMOTE_USER: 'test',
    REMOTE_ADDR: '127.0.0.1',
    ...(protocol === 2 ? { GIT_PROTOCOL: header('git-protocol') } : {}),
  };
}

/** CGI's answer: headers, an empty line, the body as it comes. */
function relay(child: ChildProcessWithoutNullStreams, request: GitRequest, response: ServerResponse): void {
  let head: Buffer | null = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    let body = chunk;
    if (head !== null) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      let status = 200;
      for (const line of head.toString('latin1', 0, end).split('\r\n')) {
        const [name = '', value = ''] = line.split(/: (.*)/);
        if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
        else response.appendHeader(name, value);
      }
      response.writeHead(status);
      body = head.subarray(end + 4);
      head = null;
    }
    request.answered += body.length;
    if (!response.write(body)) {
      child.stdout.pause();
      response.once('drain', () => child.stdout.resume());
    }
  });
  child.stderr.resume();
  child.once('close', () => response.end());
  response.once('close', () => child.kill());
}
