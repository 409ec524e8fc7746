import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { Current } from '../../schemas/current.ts';
import { type AgentProgram, type Call, callAgent, type Ended, withHostName } from './program.ts';

/** A run that is under way may take its 10 s, and 10 s more to be ended. */
const STOP_MS = 30_000;
const LINES_SHOWN = 12;

/** A machine on which an agent lives; here a folder. */
export interface Machine {
  readonly host: string;
  readonly folder: string;
  readonly config: string;
  /** How `edge-agent` is started here. */
  readonly program: AgentProgram;
  readonly env: Readonly<Record<string, string>>;
  /** Known once it is enrolled. */
  readonly agentId: string;
  /** Where the tenant's versions are. */
  readonly versions: string;
  agent(args: readonly string[], options?: Pick<Call, 'expected' | 'input'>): Promise<Ended>;
  /** Changes the agent.yaml that the enrolment wrote; the lines it now has. */
  adjust(changes: readonly (readonly [path: readonly string[], value: unknown])[]): Promise<void>;
  pointer(): Promise<{ readonly current: Current; readonly text: string }>;
  /** Starts `edge-agent run`; its process id. `onEnd` hears why, when it ends unasked. */
  startDaemon(onEnd: (error: Error) => void): number;
  /** Ends what `startDaemon` started; nothing, if it was not. */
  endDaemon(): Promise<void>;
}

export async function createMachine(given: {
  readonly folder: string;
  readonly host: string;
  readonly tenant: string;
  readonly program: AgentProgram;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}): Promise<Machine> {
  const { folder, host, tenant, signal } = given;
  const env = { ...given.env, DEMO_HOST_NAME: host };
  const program = withHostName(given.program);
  const config = join(folder, 'agent.yaml');
  const versions = join(folder, 'EdgeFlows', tenant);
  await mkdir(folder);

  let agentId = '';
  let end: () => Promise<void> = async () => {};
  return {
    host,
    folder,
    config,
    program,
    env,
    versions,
    get agentId() {
      return agentId;
    },
    agent: (args, options = {}) => callAgent(program, args, { cwd: folder, signal, env, ...options }),
    async adjust(changes) {
      const document = parseDocument(await readFile(config, 'utf8'));
      for (const [path, value] of changes) document.setIn(path, value);
      agentId = String(document.get('agent_id'));
      await writeFile(config, document.toString({ lineWidth: 0 }));
    },
    async pointer() {
      const text = await readFile(join(versions, 'current.json'), 'utf8');
      return { current: Current.parse(JSON.parse(text)), text };
    },
    endDaemon: () => end(),
    startDaemon(onEnd) {
      signal.throwIfAborted();
      const output = join(folder, 'daemon.out');
      const file = openSync(output, 'w', 0o600);
      // A group of its own: Ctrl-C at the terminal reaches the demo alone, which then ends the daemon as it should be ended.
      const daemon = spawn(program.file, [...program.args, 'run'], {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ['ignore', file, file],
        detached: true,
      });
      closeSync(file);
      let asked = false;
      const ended = new Promise<void>((resolve) => {
        daemon.once('error', (error) => {
          if (!asked) onEnd(error);
          resolve();
        });
        daemon.once('exit', (code, by) => {
          resolve();
          if (asked) return;
          void lastLines(output).then((said) =>
            onEnd(
              new Error(
                `expected the daemon of ${host} to go on, found that it ended with ${code ?? by}${said}`,
              ),
            ),
          );
        });
      });
      // The last resort, should this process end without its clean-up.
      const kill = () => void daemon.kill('SIGKILL');
      process.once('exit', kill);
      end = async () => {
        asked = true;
        if (daemon.exitCode === null && daemon.signalCode === null) {
          daemon.kill('SIGTERM');
          const late = setTimeout(kill, STOP_MS);
          await ended;
          clearTimeout(late);
        }
        process.off('exit', kill);
      };
      return daemon.pid as number;
    },
  };
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.trim().split('\n').slice(-LINES_SHOWN).join('\n');
  return lines === '' ? '' : `; it said last:\n${lines}`;
}
