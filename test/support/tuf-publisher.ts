import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('tuf-publisher.py', import.meta.url));

export type TufScheme = 'ed25519' | 'rsa' | 'ecdsa';

/** A TUF repository made and signed by python-tuf (tuf-publisher.py has the orders). */
export interface TufPublisher {
  /** The first root: what an agent pins. */
  readonly root: string;
  order<T = unknown>(order: string, given?: object): Promise<T>;
  /** All metadata published so far, under `metadata/`. */
  files(): Promise<Record<string, string>>;
}

export interface TufPublisherOptions {
  /** Versions in the names of metadata; default true. */
  readonly consistent?: boolean;
  /** Root keys, all of which sign. */
  readonly threshold?: number;
  readonly schemes?: Readonly<Record<string, TufScheme>>;
  /** Hashes and lengths of metadata in timestamp and snapshot. */
  readonly hashes?: boolean;
}

/** One process of Python for as many repositories as a test file wants: it takes a second to start. */
export interface PythonTuf extends AsyncDisposable {
  publisher(options?: TufPublisherOptions): Promise<TufPublisher>;
}

/** `packages` is the folder of the part `python-tuf`. */
export function startPythonTuf(packages: string): PythonTuf {
  const child = spawn('python3', [SCRIPT], {
    env: { ...process.env, PYTHONPATH: packages },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let publishers = 0;
  const ask = async <T>(of: number, name: string, given: object): Promise<T> => {
    child.stdin.write(`${JSON.stringify({ of, order: name, ...given })}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error(`expected an answer of python-tuf to ${name}, found its end`);
    const answer = JSON.parse(line.value) as { result: T; error?: string };
    if (answer.error !== undefined) throw new Error(`python-tuf, ${name}: ${answer.error}`);
    return answer.result;
  };
  return {
    async publisher(options = {}) {
      publishers += 1;
      const of = publishers;
      const first = await ask<Record<string, string>>(of, 'init', options);
      return {
        root: first['1.root.json'] as string,
        order: (name, given = {}) => ask(of, name, given),
        async files() {
          const all = await ask<Record<string, string>>(of, 'all', {});
          return Object.fromEntries(Object.entries(all).map(([name, text]) => [`metadata/${name}`, text]));
        },
      };
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
