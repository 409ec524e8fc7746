import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../schemas/duration.ts';
import { createSystemClock } from '../system/clock.ts';
import { addAccessVerbs } from './access-verbs.ts';
import { addTriggerKeyVerb } from './actions/trigger-key-verb.ts';
import { type ConsoleAdmin, createAdmin } from './admin.ts';
import { addBackupVerbs } from './backup/backup-verbs.ts';
import { addCommandHistory } from './command-history.ts';
import { addCommandVerbs } from './command-verbs.ts';
import { DEFAULT_DATA, dataOption, openExistingState } from './data-folder.ts';
import { addIdentityVerbs } from './identity-verbs.ts';
import { type ServeOptions, serve } from './serve.ts';
import { addMigrateVerb } from './settings/migrate-verb.ts';
import { loadSettings } from './settings/settings-file.ts';
import type { ConsoleState } from './state.ts';
import { TenantFault } from './tenants.ts';
import { table } from './text-table.ts';

interface Common {
  readonly data: string;
  readonly output: 'text' | 'json';
}

interface Filter extends Common {
  readonly agent?: string;
  readonly tenant?: string;
  readonly limit: number;
}

/** The verbs. All but `serve` work on the data directory itself, whether a console is running on it or not; `serve` alone makes it. */
export function buildCommand(): Command {
  const program = new Command('edge-console')
    .description('The SaaS side of Edge-Agent: git, artifacts, enrolment and the reports of agents.')
    .showHelpAfterError('(--help says more)')
    .exitOverride()
    // All but those that have their own way with it work on the data of the console that is configured here.
    .hook('preAction', async (_program, action) => {
      const { data, config } = action.opts<{ data?: string; config?: string }>();
      if (data !== undefined || action.name() === 'serve') return;
      action.setOptionValue('data', (await loadSettings({ config })).data);
    });

  common(program.command('serve', { isDefault: true }))
    .description('run the console (what happens when no verb is given)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <number>', 'port to listen on; 0 takes any free one (default: 8080)', integer(0, 65_535))
    .option('--public-url <origin>', 'what agents call, when it is not the address listened on')
    .option('--tls-key <file>', 'PEM file of the private key')
    .option('--tls-cert <file>', 'PEM file of the certificate chain')
    .addOption(
      new Option('--log-level <level>', 'to standard error, JSON lines (default: warn)').choices([
        'trace',
        'debug',
        'info',
        'warn',
        'error',
      ]),
    )
    .action(async (options: ServeOptions) => serve(options));

  const tenant = program.command('tenant').description('tenants');
  common(tenant.command('add <slug>'))
    .description('make a tenant with its git repository; prints the publisher token, once')
    .requiredOption('--root <file>', 'its root of trust: <n>.root.jws.json')
    .option('--artifact-allow <prefix...>', 'URL prefixes bundles may come from, beside this console')
    .action(async (slug: string, options: Common & { root: string; artifactAllow?: string[] }) => {
      const rootDocument = readText(options.root);
      await withAdmin(options, async (admin) => {
        const added = await admin.addTenant({ slug, rootDocument, artifactAllow: options.artifactAllow });
        const document = {
          slug,
          git_url: added.gitUrl,
          artifacts_url: added.artifactsUrl,
          publisher_token: added.publisherToken,
        };
        const text = `Tenant ${slug} is ready.

  git        ${added.gitUrl}   branch tenant/${slug}
  artifacts  ${added.artifactsUrl}
  publisher  ${added.publisherToken}
             (the password for git push and uploads, with any user name; shown only now)

Next: edge-console token new ${slug}${dataOption(options.data)}`;
        print(options, document, text);
      });
    });
  common(tenant.command('list'))
    .description('show them')
    .action(async (options: Common) =>
      withAdmin(options, async (admin) => {
        const rows = (await admin.tenants()).map(({ slug, rootSha256, createdAt }) => ({
          slug,
          root_sha256: rootSha256,
          created_at: createdAt,
        }));
        print(options, rows, table(rows, ['slug', 'created_at', 'root_sha256']));
      }),
    );
  common(tenant.command('root <slug> <file>'))
    .description('enrol agents with another root from now on')
    .action(async (slug: string, file: string, options: Common) => {
      const rootDocument = readText(file);
      await withAdmin(options, async (admin) => {
        await admin.setRoot(slug, rootDocument);
        print(options, { slug }, `New tokens of ${slug} pin the new root.`);
      });
    });
  common(tenant.command('publisher <slug>'))
    .description('make a new publisher token; the old one is void')
    .action(async (slug: string, options: Common) =>
      withAdmin(options, async (admin) => {
        const token = await admin.newPublisherToken(slug);
        print(options, { slug, publisher_token: token }, token);
      }),
    );

  common(tenant.command('hook <slug>'))
    .description('make a new webhook secret, for a git server elsewhere; the old one is void')
    .action(async (slug: string, options: Common) =>
      withAdmin(options, async (admin) => {
        const { url, secret } = await admin.newHookSecret(slug);
        const text = `Webhook of ${slug}, for pushes to tenant/${slug}:

  address  ${url}
  secret   ${secret}
           (shown only now; content type application/json)`;
        print(options, { slug, url, secret }, text);
      }),
    );

  common(tenant.command('outputs <slug> <wanted>'))
    .description(
      'ask agents for the files their runs leave (yes, at first) or not (no); agents have to consent too',
    )
    .action(async (slug: string, wanted: string, options: Common) => {
      if (wanted !== 'yes' && wanted !== 'no')
        throw new TenantFault(`expected yes or no, found "${wanted.slice(0, 40)}"`);
      await withAdmin(options, async (admin) => {
        await admin.setOutputsWanted(slug, wanted === 'yes');
        const text = wanted === 'yes' ? 'are asked for' : 'are not asked for any more';
        print(options, { slug, outputs_wanted: wanted === 'yes' }, `Outputs of ${slug} ${text}.`);
      });
    });

  addTriggerKeyVerb({ tenant, common, print });

  const token = program.command('token').description('enrolment tokens');
  common(token.command('new <slug>'))
    .description('make a token that enrols one agent; prints it')
    .option('--expires <duration>', 'how long it is good, such as 1h', duration, 3_600_000)
    .action(async (slug: string, options: Common & { expires: number }) =>
      withAdmin(options, async (admin) => {
        const token = await admin.makeEnrolmentToken({ slug, ttlMs: options.expires });
        print(options, { token }, token);
      }),
    );

  addIdentityVerbs({ program, token, common, print, withAdmin });

  addAccessVerbs({ program, common, print, withAdmin });

  addMigrateVerb({ program, common, print });
  addBackupVerbs({ program, common, print });

  const command = addCommandVerbs(program, common, print);
  addCommandHistory({ command, common, print });

  filtered(program.command('runs'))
    .description('show the runs agents have reported, newest first')
    .action(async (options: Filter) =>
      withAdmin(options, async (admin) => {
        const rows = await admin.runs(options);
        print(
          options,
          rows,
          table(rows, [
            'run_id',
            'tenant',
            'agent_id',
            'flow',
            'version',
            'status',
            'exit_code',
            'finished_at',
          ]),
        );
      }),
    );
  filtered(program.command('events'))
    .description('show the last events of agents')
    .action(async (options: Filter) =>
      withAdmin(options, async (admin) => {
        const events = (await admin.events(options)).map(({ event }) => event);
        print(options, events, table(events, ['time', 'tenant', 'severity', 'reason', 'message']));
      }),
    );
  return program;
}

function common(command: Command): Command {
  return command
    .option('--data <dir>', `data directory (default: of console.yaml, else ${DEFAULT_DATA})`)
    .option('--config <file>', 'settings (default: ./console.yaml, else console.yaml in the data directory)')
    .addOption(
      new Option('--output <form>', 'for people, or one JSON document')
        .choices(['text', 'json'])
        .default('text'),
    );
}

function filtered(command: Command): Command {
  return common(command)
    .option('--agent <id>')
    .option('--tenant <slug>')
    .option('--limit <number>', 'at most so many', integer(1, 10_000), 50);
}

async function withAdmin(
  options: Common & { readonly tenant?: string | undefined },
  work: (admin: ConsoleAdmin) => Promise<void>,
): Promise<void> {
  const state = await openExistingState(options.data, createSystemClock());
  try {
    if (options.tenant !== undefined) await expectTenant(state, options.tenant);
    await work(createAdmin(state));
  } finally {
    await state.close();
  }
}

/** A slug that is nobody's would be answered by an empty list otherwise. */
async function expectTenant(state: ConsoleState, slug: string): Promise<void> {
  if ((await state.tenants.get(slug)) !== null) return;
  throw new TenantFault(`expected a tenant, found no "${slug.slice(0, 80)}"; tenant list shows them`);
}

function print(options: Common, document: unknown, text: string): void {
  process.stdout.write(`${options.output === 'json' ? JSON.stringify(document) : text}\n`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new TenantFault(`expected a readable file, found: ${(error as Error).message}`);
  }
}

function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === null) throw new InvalidArgumentError('Expected a duration such as 30m, 1h or 7d.');
  return milliseconds;
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`Expected a whole number of ${min} to ${max}.`);
  };
}
