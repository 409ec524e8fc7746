import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const WAIT_MS = 15 * 60_000;
const POLL_MS = 250;

/**
 * Runs `work` while no other process runs it: two installs at once would delete each other's files.
 * The lock is a file with the holder's process id; a holder that died is passed over.
 *
 * @template T
 * @param {URL} lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function onlyOne(lock, work) {
  const path = fileURLToPath(lock);
  mkdirSync(dirname(path), { recursive: true });
  const deadline = Date.now() + WAIT_MS;
  let told = false;
  while (!taken(path)) {
    const holder = holderOf(path);
    if (holder !== undefined && !alive(holder)) {
      rmSync(path, { force: true });
      continue;
    }
    if (Date.now() > deadline) {
      throw new Error(
        `waited ${WAIT_MS / 60_000} minutes for process ${holder ?? '(unknown)'} that holds ${path}. ` +
          'If it is not at work, end it or delete that file, and try again.',
      );
    }
    if (!told)
      console.error(`edge-agent setup: waiting for process ${holder ?? '(unknown)'}, which is at it already`);
    told = true;
    await sleep(POLL_MS);
  }
  const release = () => rmSync(path, { force: true });
  const stop = () => {
    release();
    process.exit(130);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work();
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    release();
  }
}

/** @param {string} path */
function taken(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/** @param {string} path */
function holderOf(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
