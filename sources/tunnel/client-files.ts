import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { readPrivateFile } from '../../system/private-file.ts';
import { readSmallFile } from '../../system/small-file.ts';
import type { TunnelProgram } from './tunnel-program.ts';

const TOKEN_MAX_BYTES = 4_096;
const CA_MAX_BYTES = 4 * 1_024 * 1_024;

/** A person must do something before a client can be started; the message says what. */
export type Found<Value> =
  | { readonly kind: 'found'; readonly value: Value }
  | { readonly kind: 'missing'; readonly message: string };

/** The client's program: `tunnel.binary`, else the first on PATH. */
export async function findProgram(
  program: TunnelProgram,
  binary: string | null,
  searchPath: string,
): Promise<Found<string>> {
  const file = program.name + (process.platform === 'win32' ? '.exe' : '');
  const folders = searchPath.split(delimiter).filter((folder) => isAbsolute(folder));
  const places = binary === null ? folders.map((folder) => join(folder, file)) : [binary];
  for (const path of places) {
    if (await executable(path)) return { kind: 'found', value: path };
  }
  const wanted =
    binary === null
      ? `${program.name} on PATH`
      : `a program that may be executed at ${binary} (tunnel.binary)`;
  const advice =
    binary === null
      ? `install ${program.install}, or name it in tunnel.binary`
      : `install ${program.install} there`;
  return { kind: 'missing', message: `expected ${wanted}, found none; ${advice}` };
}

/** One line, which only the agent's account may read. */
export async function readToken(path: string): Promise<Found<string>> {
  const file = await readPrivateFile(path, TOKEN_MAX_BYTES);
  if (file.kind === 'unusable') return { kind: 'missing', message: file.message };
  const token = file.kind === 'absent' ? '' : file.text.trim();
  if (token !== '' && !/\p{Cc}/u.test(token)) return { kind: 'found', value: token };
  const found = file.kind === 'absent' ? 'no such file' : token === '' ? 'nothing' : 'several lines';
  return {
    kind: 'missing',
    message: `${path} (tunnel.token_file): expected the server's token on one line, found ${found}`,
  };
}

/** `ca_file` as the client will read it: a client that reads only the first certificate must not be given several in silence. */
export async function checkCertificates(path: string, program: TunnelProgram): Promise<Found<string>> {
  const file = await readSmallFile(path, CA_MAX_BYTES);
  const text = file.kind === 'read' ? Buffer.from(file.bytes).toString('latin1') : '';
  const count = text.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (count === 1 || (count > 1 && program.certificates === 'all')) return { kind: 'found', value: path };
  const wanted = program.certificates === 'all' ? 'certificates (PEM)' : 'one certificate (PEM)';
  const found = file.kind === 'absent' ? 'no such file' : `${count}`;
  const why = count > 1 ? `; ${program.name} believes the first only` : '';
  return { kind: 'missing', message: `${path} (tunnel.ca_file): expected ${wanted}, found ${found}${why}` };
}

/** Writes the configuration, which holds the token, for this account alone. */
export async function writeConfiguration(
  folder: string,
  program: TunnelProgram,
  text: string,
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = configurationPath(folder, program);
  await writeFileAtomically(path, text, { mode: 0o600 });
  return path;
}

export function configurationPath(folder: string, program: TunnelProgram): string {
  return join(folder, `${program.name}.toml`);
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
