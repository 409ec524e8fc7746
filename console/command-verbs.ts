import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Command as Verb } from 'commander';
import { z } from 'zod';
import { parseDuration } from '../schemas/duration.ts';
import { Timestamp } from '../schemas/names.ts';
import { createSystemChance, createSystemClock } from '../system/clock.ts';
import { CeremonyError } from '../trust/ceremony/draft.ts';
import { type CommandDraft, signDraft } from './actions/signed-command.ts';
import { type CommandPost, postToConsole, postToDirectory, postToFile } from './command-post.ts';
import { dataOption, openExistingState } from './data-folder.ts';
import { RequestRefused } from './refusal.ts';
import { TenantFault } from './tenants.ts';
import { readTriggerKey } from './trigger-key.ts';

interface Common {
  readonly data: string;
  readonly output: 'text' | 'json';
  readonly agent: string;
  readonly key: string;
  readonly expires: string;
  readonly url?: string;
  readonly apiKey?: string;
  readonly out?: string;
  readonly tenant?: string;
}

/**
 * `edge-console command …`: makes a command, signs it here with a key of the trigger role, and hands it in. The console never gets
 * this key: who works from elsewhere uses `--url`.
 */
export function addCommandVerbs(
  program: Verb,
  common: (verb: Verb) => Verb,
  print: (options: Common, document: unknown, text: string) => void,
): Verb {
  const command = program.command('command').description('signed commands for agents');
  const verb = (name: string, description: string) =>
    common(command.command(name))
      .description(description)
      .requiredOption('--agent <id>', 'the agent it is for')
      .requiredOption('--key <file>', 'private key of the trigger role (JWK), which signs here')
      .option('--expires <duration>', 'how long it may wait for the agent, at most 24h', '1h')
      .option('--url <origin>', 'hand it in at this console, not in the data directory')
      .option('--api-key <key>', 'for --url; or in the environment as EDGE_CONSOLE_API_KEY')
      .option('--out <file>', 'only sign: the command goes to a new file, for rathole, frp or a way of yours')
      .option('--tenant <slug>', 'with --out: of the agent, so that no console is asked');

  const send = async (options: Common, draft: CommandDraft): Promise<void> => {
    const key = await readTriggerKey(options.key);
    await withPost(options, async (post) => {
      const envelope = {
        commandId: createSystemChance().uuidv7(),
        tenant: await post.tenantOf(options.agent),
        agentId: options.agent,
        issued: createSystemClock().now(),
        lifetimeMs: lifetime(options.expires),
      };
      const posted = await post.post(options.agent, await signDraft(draft, envelope, key));
      const run = draft.action === 'run' ? { run_id: draft.run_id } : {};
      const what = draft.action === 'run' ? `run ${draft.run_id}` : draft.action;
      const inData = options.out === undefined && options.url === undefined;
      const followUp = ` What becomes of it: edge-console command show ${posted.command_id}${dataOption(options.data)}`;
      const text = `Command ${posted.command_id} (${what}) is ${posted.state}.${inData ? followUp : ''}`;
      print(options, { ...posted, ...run }, text);
    });
  };

  verb('run', 'run a flow')
    .requiredOption('--flow <id>')
    .option('--version <name>', 'only when this version is active')
    .option('--input <json>', 'what the flow finds in EDGE_INPUT')
    .option('--timeout <duration>', 'for this run')
    .option('--run-id <id>', 'its id; made here when absent')
    .action(
      async (
        options: Common & {
          flow: string;
          version?: string;
          input?: string;
          timeout?: string;
          runId?: string;
        },
      ) =>
        send(options, {
          action: 'run',
          run_id: options.runId ?? randomUUID(),
          flow: options.flow,
          ...(options.version === undefined ? {} : { version: options.version }),
          ...(options.input === undefined ? {} : { inputs: json(options.input) }),
          ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
        }),
    );
  verb('cancel', 'cancel a run')
    .requiredOption('--run-id <id>')
    .action(async (options: Common & { runId: string }) =>
      send(options, { action: 'cancel', run_id: options.runId }),
    );
  verb('suspend', 'activate nothing from now on')
    .requiredOption('--why <text>')
    .option('--by <name>', 'who', userInfo().username)
    .option('--until <time>', 'a time such as 2026-12-01T08:00:00Z, or a duration such as 4h')
    .action(async (options: Common & { by: string; why: string; until?: string }) => {
      const { by, why } = options;
      const until = options.until === undefined ? {} : { until: untilOf(options.until) };
      await send(options, { action: 'suspend', by, why, ...until });
    });
  verb('resume', 'end a suspension, and let go what a rollback holds')
    .option('--by <name>', 'who', userInfo().username)
    .action(async (options: Common & { by: string }) => send(options, { action: 'resume', by: options.by }));
  verb('rollback', 'put the previous version of a flow back')
    .requiredOption('--flow <id>')
    .requiredOption('--why <text>')
    .option('--by <name>', 'who', userInfo().username)
    .action(async (options: Common & { flow: string; by: string; why: string }) => {
      const { flow, by, why } = options;
      await send(options, { action: 'rollback', flow, by, why });
    });
  return command;
}

async function withPost(options: Common, work: (post: CommandPost) => Promise<void>): Promise<void> {
  try {
    if (options.out !== undefined) {
      if (options.tenant === undefined) throw new TenantFault('expected --tenant with --out, found none');
      await work(postToFile(options.tenant, options.out));
      return;
    }
    if (options.url !== undefined) {
      const apiKey = options.apiKey ?? process.env['EDGE_CONSOLE_API_KEY'];
      if (apiKey === undefined) {
        throw new TenantFault('expected --api-key or EDGE_CONSOLE_API_KEY with --url, found none');
      }
      await work(postToConsole(options.url, apiKey));
      return;
    }
    const state = await openExistingState(options.data, createSystemClock());
    try {
      await work(postToDirectory(state));
    } finally {
      await state.close();
    }
  } catch (error) {
    if (error instanceof RequestRefused) throw new TenantFault(`${error.code}: ${error.message}`);
    if (error instanceof CeremonyError) throw new TenantFault(error.message);
    throw error;
  }
}

function lifetime(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== null && milliseconds > 0 && milliseconds <= 24 * 3_600_000) return milliseconds;
  throw new TenantFault(
    `--expires: expected a duration of at most 24h, such as 30m, found "${text.slice(0, 40)}"`,
  );
}

/** As `edge-agent suspend --until` takes it; the payload has a time. */
function untilOf(text: string): string {
  const now = createSystemClock().now().getTime();
  const milliseconds = parseDuration(text);
  const time = Timestamp.safeParse(text);
  if (milliseconds === null && !time.success) {
    throw new TenantFault(
      `--until: expected a time such as 2026-12-01T08:00:00Z or a duration such as 4h, found "${text.slice(0, 40)}"`,
    );
  }
  const at = milliseconds === null ? Date.parse(text) : now + milliseconds;
  if (at > now && at < Date.UTC(10_000, 0)) return new Date(at).toISOString();
  throw new TenantFault(
    `--until: expected a time to come, before the year 10000, found "${text.slice(0, 40)}"`,
  );
}

function json(text: string): z.infer<ReturnType<typeof z.json>> {
  try {
    return z.json().parse(JSON.parse(text));
  } catch (error) {
    throw new TenantFault(`--input: expected JSON: ${(error as Error).message}`);
  }
}
