import type { Terminal } from './terminal.ts';

/** Who runs, said once. `log` is the file; null: it goes to standard error, as its folder cannot be written. */
export interface RunningAgent {
  readonly agent_id: string | null;
  readonly tenant: string;
  readonly config: string;
  readonly log: string | null;
}

/** What `edge-agent run` says on standard error where nobody watches, who would see the log there. */
export interface RunNotes {
  running(agent: RunningAgent): void;
  ended(because: string): void;
}

/**
 * A line at the start and one at the end: without them a container, a service's journal or a file would show nothing, not even where the
 * log is. With `--output json`, and beside a log that goes there too, they are JSON: `{event: running|ended, time, …}`.
 */
export function createRunNotes(terminal: Pick<Terminal, 'json' | 'note'>, now: () => Date): RunNotes {
  let began = now();
  let json = terminal.json;
  const say = (event: string, facts: object, text: string) =>
    terminal.note(json ? JSON.stringify({ event, time: now().toISOString(), ...facts }) : text);
  return {
    running(agent) {
      began = now();
      json ||= agent.log === null;
      const { pid } = process;
      const who = agent.agent_id === null ? 'an agent' : `agent ${agent.agent_id}`;
      const whose = agent.agent_id === null ? `${agent.tenant} without a console` : agent.tenant;
      const text = `edge-agent run: ${who} of ${whose}, process ${pid}; its log is ${agent.log}`;
      say('running', { ...agent, pid }, text);
    },
    ended(because) {
      const ranMs = now().getTime() - began.getTime();
      const text = `edge-agent run: ${because} after ${Math.round(ranMs / 1_000)} s`;
      say('ended', { because, ran_ms: ranMs }, text);
    },
  };
}
