import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SpawnChild } from '../../store/archive/unpacker.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const entry = fileURLToPath(new URL('unpacker-entry.ts', import.meta.url));

/** A real unpacker child with the rights it has in earnest; the checkout is readable because the code lies there. */
export const spawnUnpacker: SpawnChild = (_verb, rights) =>
  spawn(
    process.execPath,
    [
      '--permission',
      ...[repository, ...rights.read].map((path) => `--allow-fs-read=${path}`),
      ...rights.write.map((path) => `--allow-fs-write=${path}`),
      ...(rights.net ? ['--allow-net'] : []),
      entry,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
  );
