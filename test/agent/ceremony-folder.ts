import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperationError } from '../../agent/operation-error.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { publicPart } from '../../trust/thumbprint.ts';

export interface CeremonyFolder {
  readonly path: string;
  at(name: string): string;
  read(name: string): Promise<string>;
  write(name: string, text: string): Promise<void>;
  /** `<name>.jwk` (private, 0600) and `<name>.pub`. */
  keep(name: string, key: PrivateJwk): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A folder of its own, as a signer has one. */
export async function ceremonyFolder(): Promise<CeremonyFolder> {
  const path = await mkdtemp(join(tmpdir(), 'ceremony-'));
  const at = (name: string) => join(path, name);
  const write = async (name: string, text: string) => writeFile(at(name), text, { mode: 0o600 });
  return {
    path,
    at,
    write,
    read: async (name) => readFile(at(name), 'utf8'),
    async keep(name, key) {
      await write(`${name}.jwk`, JSON.stringify(key));
      await write(`${name}.pub`, JSON.stringify(publicPart(key)));
    },
    [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }),
  };
}

/** `<exit code> <message>` of an operation that has to fail. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing failed',
    (error: OperationError) => `${error.exitCode} ${error.message}`,
  );
}
