import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of the benchmark in a process of its own, which answers each line with a line of JSON. */
export interface LineProcess {
  /** The answer to a line; to none, the next one it says. */
  ask<T>(line?: string): Promise<T>;
  end(): Promise<void>;
}

/** `program` lies in bench/. Throws when it ends before it has answered. */
export function startLineProcess(
  program: string,
  args: readonly string[],
  nodeOptions: readonly string[] = [],
): LineProcess {
  const path = fileURLToPath(new URL(`../${program}`, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [...nodeOptions, path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines: Interface = createInterface(child.stdout as NodeJS.ReadableStream);
  const ended = once(child, 'exit');
  return {
    async ask<T>(line?: string) {
      const answer = once(lines, 'line') as Promise<[string]>;
      if (line !== undefined) child.stdin?.write(`${line}\n`);
      const gone = ended.then(([code]) => {
        throw new Error(`expected ${program} to answer, found that it ended with ${String(code)}`);
      });
      const [text] = await Promise.race([answer, gone]);
      return JSON.parse(text) as T;
    },
    async end() {
      child.stdin?.end();
      await ended;
    },
  };
}
