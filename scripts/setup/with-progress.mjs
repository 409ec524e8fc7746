import { spawn } from 'node:child_process';
import { once } from 'node:events';

const TICK_MS = 10_000;
const KEPT_CHARS = 20_000;

/**
 * Runs a command that may take minutes and says on stderr that it is still at work.
 *
 * @param {{ label: string, command: string, args: string[], env?: NodeJS.ProcessEnv, cwd?: string | URL, shell?: boolean }} job
 * @returns {Promise<{ ok: boolean, output: string, seconds: number }>} `output` is the end of what it printed
 */
export async function withProgress({ label, command, args, env, cwd, shell = false }) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  let output = '';
  let lines = 0;
  const ticker = setInterval(() => {
    console.error(`  … ${label}: ${seconds()} s${lines > 0 ? `, ${lines} lines of output` : ''}`);
  }, TICK_MS);
  /** @param {string} text */
  const keep = (text) => {
    output = (output + text).slice(-KEPT_CHARS);
    lines += text.split('\n').length - 1;
  };
  try {
    const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    const [code] = await once(child, 'close');
    return { ok: code === 0, output: output.trim(), seconds: seconds() };
  } catch (error) {
    return { ok: false, output: `${output}\n${String(error)}`.trim(), seconds: seconds() };
  } finally {
    clearInterval(ticker);
  }
}
