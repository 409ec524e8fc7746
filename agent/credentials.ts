import { chmod, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactCredentials, FlowSecrets } from '../schemas/credentials.ts';
import { parseJson } from '../system/json-document.ts';
import { parseYaml } from '../system/yaml-document.ts';

const MAX_BYTES = 256 * 1024;

/** A credentials file that is there and cannot be used. The message never holds its content. */
export class CredentialsError extends Error {
  override name = 'CredentialsError';
}

export interface Credentials {
  /** `token` or `user:token`, null when there is no git-token: anonymous. */
  gitToken(): Promise<string | null>;
  artifacts(): Promise<ArtifactCredentials | null>;
  secrets(): Promise<FlowSecrets>;
}

/** The files of `credentials_dir` (contract, section 2), read anew each time: a rotated token counts at once. */
export function createCredentials(directory: string): Credentials {
  return {
    async gitToken() {
      const text = await readPrivate(join(directory, 'git-token'));
      const token = text?.trim() ?? '';
      if (token.includes('\n')) {
        throw new CredentialsError(`${join(directory, 'git-token')}: expected one line, token or user:token`);
      }
      return token === '' ? null : token;
    },
    async artifacts() {
      const path = join(directory, 'artifacts.json');
      const text = await readPrivate(path);
      if (text === null) return null;
      const parsed = parseJson(text, ArtifactCredentials, { maxBytes: MAX_BYTES, secret: true });
      if (parsed.kind === 'invalid') {
        throw new CredentialsError(
          `${path}: expected {"access_key": "…", "secret_key": "…"} and nothing else`,
        );
      }
      return parsed.value;
    },
    async secrets() {
      const path = join(directory, 'secrets.yaml');
      const text = await readPrivate(path);
      if (text === null || text.trim() === '') return {};
      const parsed = parseYaml(text, FlowSecrets, { secret: true });
      if (parsed.kind === 'invalid') {
        const where = parsed.problems.map((problem) => `${problem.line}:${problem.column}`).join(', ');
        throw new CredentialsError(`${path}: expected lines of NAME: "value"; look at ${where}`);
      }
      return parsed.value;
    },
  };
}

/** Reads a file that only its owner may read; one that others may read too is closed to them first. */
async function readPrivate(path: string): Promise<string | null> {
  try {
    const { size, mode } = await stat(path);
    if (size > MAX_BYTES)
      throw new CredentialsError(`${path}: expected at most ${MAX_BYTES} bytes, found ${size}`);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) await closeToOthers(path, mode);
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function closeToOthers(path: string, mode: number): Promise<void> {
  try {
    await chmod(path, 0o600);
  } catch (cause) {
    const found = (mode & 0o777).toString(8).padStart(4, '0');
    const message = `${path}: expected mode 0600, found ${found}; run as its owner: chmod 600 ${path}`;
    throw new CredentialsError(message, { cause });
  }
}
