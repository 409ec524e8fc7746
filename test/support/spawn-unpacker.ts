import { spawn } from 'node:child_process';
import type { SpawnChild } from '../../store/archive/unpacker.ts';
import { AGENT_FOLDER, AGENT_MAIN } from './agent-program.ts';

/** A real unpacker child with the rights it has in earnest; the program's folder is readable because the code lies there. */
export const spawnUnpacker: SpawnChild = (verb, rights) =>
  spawn(
    process.execPath,
    [
      '--permission',
      ...[AGENT_FOLDER, ...rights.read].map((path) => `--allow-fs-read=${path}`),
      ...rights.write.map((path) => `--allow-fs-write=${path}`),
      ...(rights.net ? ['--allow-net'] : []),
      AGENT_MAIN,
      verb,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
  );
