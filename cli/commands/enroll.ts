import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { systemLocale } from '../../agent/effective-settings.ts';
import { enrol } from '../../agent/enrolment.ts';
import { loadConfig } from '../../agent/load-config.ts';
import { checkMachine } from '../../agent/machine-checks.ts';
import { agentPaths, configPath, platformConfigPath } from '../../agent/paths.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandFailure } from '../failure.ts';
import { globalsOf } from '../globals.ts';
import { tokenInput } from '../token-input.ts';

interface Options {
  tokenFile?: string;
  credentialsDir?: string;
  cacheDir?: string;
  caFile?: string;
  proxy?: string;
  force?: boolean;
}

export function addEnroll(program: Command): void {
  program
    .command('enroll')
    .description('make this machine an agent of a tenant, with a token of its console')
    .usage('[options]')
    .addArgument(new Argument('[unexpected...]').argOptional())
    .option('--token-file <path>', 'file with the enrolment token; - or nothing: standard input')
    .option(
      '--credentials-dir <path>',
      'where keys and tokens are kept (default: credentials beside agent.yaml)',
    )
    .option('--cache-dir <path>', 'where versions are kept (default: ~/EdgeFlows)')
    .option('--ca-file <path>', 'certificates to believe beside the system’s, PEM')
    .option('--proxy <url>', 'proxy to go through (default: HTTPS_PROXY and NO_PROXY)')
    .option('--force', 'replace an agent.yaml of another agent; the old one is kept as agent.yaml.bak')
    .action(async (unexpected: string[], options: Options, command: Command) => {
      if (unexpected.length > 0) throw tokenAsArgument();
      const { terminal, signal, config } = globalsOf(command);
      // before anything is made, and before a token is typed
      if (
        command.optsWithGlobals<{ config?: string }>().config === undefined &&
        config !== resolve('agent.yaml')
      )
        terminal.note(
          `note: no agent.yaml here: this writes ${config}; "--config agent.yaml" enrols in this folder`,
        );
      const token = await tokenInput(options.tokenFile, signal);
      terminal.progress('enrolling …');
      let keyMade: string | null = null;
      let taken: { agent_id: string | null; config: string } | null = null;
      const enrolment = await enrol(
        {
          token,
          configFile: config,
          credentialsDir: place(options.credentialsDir),
          cacheDir: place(options.cacheDir),
          caFile: place(options.caFile),
          proxy: options.proxy ?? null,
          force: options.force === true,
          locale: systemLocale(),
          now: () => new Date(),
          onKeyMade(place) {
            keyMade = place;
          },
          onStateTaken(from) {
            taken = from;
          },
        },
        signal,
      )
        .catch((error: unknown) => {
          if (keyMade !== null)
            terminal.note(
              `note: a device key was made and stays, for the next try with the same token: ${keyMade}`,
            );
          throw error;
        })
        .finally(() => terminal.clearProgress());
      terminal.document(enrolment);
      if (taken !== null) terminal.note(stateTaken(enrolment.cache_dir, taken));
      const named = [resolve('agent.yaml'), platformConfigPath()].includes(config)
        ? ''
        : ` --config ${config}`;
      terminal.line(`This machine is agent ${enrolment.agent_id} of ${enrolment.tenant}.`);
      terminal.line();
      terminal.line(`  configuration  ${enrolment.config}`);
      terminal.line(`  credentials    ${enrolment.credentials_dir}`);
      terminal.line(`  versions       ${enrolment.cache_dir}`);
      terminal.line(`  source         ${enrolment.source_url}  branch tenant/${enrolment.tenant}`);
      for (const warning of await warningsOf(enrolment.config)) terminal.note(`warning: ${warning}`);
      terminal.line();
      terminal.line(`Next: edge-agent reconcile${named}   applies what the branch says, once`);
      terminal.line(`      edge-agent run${named}         keeps it so`);
    });
}

/** What would only be found out at the first run: as root, say, that flows need an account. */
async function warningsOf(config: string): Promise<readonly string[]> {
  const loaded = await loadConfig(config);
  return (await checkMachine(loaded.config, agentPaths(loaded.config, config))).warnings;
}

/** Not silently: what that agent had, this one goes on with. */
function stateTaken(cache: string, from: { agent_id: string | null; config: string }): string {
  const whose = from.agent_id === null ? 'of an agent without a console' : `agent ${from.agent_id}'s`;
  return `note: the state in ${cache} was ${whose}, whose agent.yaml (${from.config}) is gone or names another one; it is this agent's now`;
}

/** Nothing of what was given is repeated: it is the token, most likely. */
function tokenAsArgument(): CommandFailure {
  const message =
    'expected the token in a file (--token-file <path>) or on standard input, found it as an argument, where every account of this machine and the history of the shell can see it; ask for a new token if others use this machine';
  return new CommandFailure('usage', message, EXIT.usage);
}

/** The shell leaves `~` in `--cache-dir=~/x` as it is. */
function place(path: string | undefined): string | null {
  return path === undefined ? null : configPath(path, resolve('agent.yaml'));
}
