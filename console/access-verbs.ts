import { type Command, Option } from 'commander';
import { z } from 'zod';
import { type Grant, Grants, PersonDraft, type Role } from '../schemas/console/people.ts';
import { parseDuration } from '../schemas/duration.ts';
import type { ConsoleAdmin } from './admin.ts';
import { PROGRAM } from './people/actor.ts';
import { apiKeyState, grantsInWords } from './people/api-keys.ts';
import type { Invited } from './people/people.ts';
import { RequestRefused } from './refusal.ts';
import { shownKey } from './routes/keys.ts';
import { shownPerson } from './routes/people.ts';
import type { PersonRecord } from './store/ports/people.ts';
import { TenantFault } from './tenants.ts';
import { table } from './text-table.ts';

interface Common {
  readonly data: string;
  readonly output: 'text' | 'json';
}
interface Roles extends Common {
  readonly role: Role;
  readonly tenant: readonly string[];
}

/** The operator's verbs on who may use the API and the pages: `key new|list|revoke`, `person add|list|remove|reset`. */
export function addAccessVerbs(parts: {
  readonly program: Command;
  readonly common: (command: Command) => Command;
  readonly print: (options: Common, document: unknown, text: string) => void;
  readonly withAdmin: (options: Common, work: (admin: ConsoleAdmin) => Promise<void>) => Promise<void>;
}): void {
  const { program, common, print } = parts;
  const withAdmin = async (options: Common, work: (admin: ConsoleAdmin) => Promise<void>) =>
    parts.withAdmin({ data: options.data, output: options.output }, async (admin) => {
      try {
        await work(admin);
      } catch (error) {
        // What the API would refuse is wrong use here.
        throw error instanceof RequestRefused ? new TenantFault(error.message) : error;
      }
    });

  const key = program.command('key').description('keys of the API');
  common(key.command('new'))
    .description(
      'make a key for X-Api-Key; prints it, once. Without --role and --tenant it may do everything',
    )
    .option('--label <text>', 'what it is for', 'operator')
    .addOption(roleOption().default('admin'))
    .option('--tenant <slug...>', 'where, more than one if need be', ['*'])
    .option('--expires <duration>', 'how long it is good, such as 90d; until it is revoked when absent')
    .action(async (options: Roles & { label: string; expires?: string }) =>
      withAdmin(options, async (admin) => {
        const grants = await grantsOf(options, admin);
        const lifetimeMs = options.expires === undefined ? null : lifetime(options.expires);
        const expiresAt = lifetimeMs === null ? null : new Date(Date.now() + lifetimeMs);
        const secret = await admin.newApiKey(options.label, { grants, expiresAt });
        const until = expiresAt === null ? 'until it is revoked' : `until ${expiresAt.toISOString()}`;
        print(options, { api_key: secret, label: options.label, grants, expires_at: expiresAt }, secret);
        // To standard error: what a script reads is the key alone.
        if (options.output === 'text') {
          process.stderr.write(`This key is ${grantsInWords(grants)}, ${until}. It is shown only now.\n`);
        }
      }),
    );
  common(key.command('list'))
    .description('show them; the keys themselves are kept nowhere')
    .action(async (options: Common) =>
      withAdmin(options, async ({ apiKeys }) => {
        const now = new Date();
        const keys = await apiKeys.list();
        const rows = keys.map((each) => ({
          id: each.key_id,
          label: each.label,
          state: apiKeyState(each, now),
          may: grantsInWords(each.grants),
          created_at: each.created_at,
          last_used_at: each.last_used_at,
          expires_at: each.expires_at,
        }));
        const columns = ['id', 'label', 'state', 'may', 'created_at', 'last_used_at', 'expires_at'] as const;
        print(
          options,
          keys.map((each) => shownKey(each, now)),
          table(rows, columns),
        );
      }),
    );
  common(key.command('revoke <id>'))
    .description('make a key void, from now on')
    .action(async (id: string, options: Common) =>
      withAdmin(options, async ({ apiKeys }) => {
        const found = await apiKeys.revoke(id, PROGRAM);
        if (found === null) {
          throw new TenantFault(`expected the id of a key, found no ${id.slice(0, 80)}; key list shows them`);
        }
        print(options, shownKey(found, new Date()), `Key "${found.label}" (${id}) is void.`);
      }),
    );

  const person = program.command('person').description('people who may sign in');
  common(person.command('add <login>'))
    .description('invite a person; prints the link with which a password is chosen, once')
    .addOption(roleOption().makeOptionMandatory())
    .requiredOption('--tenant <slug...>', 'where, more than one if need be; "*" is everywhere')
    .option('--name <name>', 'what the person is called; the login when absent')
    .addOption(
      new Option('--locale <locale>', 'of the pages; what the browser asks for when absent').choices([
        'en',
        'fr',
      ]),
    )
    .action(async (login: string, options: Roles & { name?: string; locale?: 'en' | 'fr' }) =>
      withAdmin(options, async (admin) => {
        const { name, locale } = options;
        const draft = PersonDraft.safeParse({
          login,
          grants: await grantsOf(options, admin),
          ...(name === undefined ? {} : { name }),
          ...(locale === undefined ? {} : { locale }),
        });
        if (!draft.success) throw new TenantFault(z.prettifyError(draft.error));
        printInvitation(options, await admin.people.invite(PROGRAM, draft.data));
      }),
    );
  common(person.command('list'))
    .description('show them')
    .action(async (options: Common) =>
      withAdmin(options, async ({ people }) => {
        const found = (await people.list(PROGRAM)).map(shownPerson);
        const rows = found.map((each) => ({ ...each, may: grantsInWords(each.grants) }));
        print(options, found, table(rows, ['login', 'name', 'state', 'last_sign_in_at', 'may']));
      }),
    );
  common(person.command('remove <login>'))
    .description('remove a person; their sessions end')
    .action(async (login: string, options: Common) =>
      withAdmin(options, async ({ people }) => {
        const { person_id } = await named(people, login);
        const removed = await people.remove(PROGRAM, person_id);
        print(options, shownPerson(removed), `${removed.login} was removed.`);
      }),
    );
  common(person.command('reset <login>'))
    .description('invite a person again; the password and the sessions of now are void')
    .action(async (login: string, options: Common) =>
      withAdmin(options, async ({ people }) => {
        const { person_id } = await named(people, login);
        printInvitation(options, await people.inviteAgain(PROGRAM, person_id));
      }),
    );

  function printInvitation(options: Common, { person: invited, url, expiresAt }: Invited): void {
    const document = { person: shownPerson(invited), invitation: { url, expires_at: expiresAt } };
    const text = `${invited.login} is ${grantsInWords(invited.grants)}, and chooses a password at

  ${url}

The address is good once, until ${expiresAt}, and shown only now.`;
    print(options, document, text);
  }
}

function roleOption(): Option {
  return new Option('--role <role>', 'what they may do: read, act on machines, or decide who may').choices([
    'viewer',
    'operator',
    'admin',
  ]);
}

async function grantsOf({ role, tenant }: Roles, admin: ConsoleAdmin): Promise<Grant[]> {
  const parsed = Grants.safeParse(tenant.map((slug) => ({ tenant: slug, role })));
  if (!parsed.success) throw new TenantFault(z.prettifyError(parsed.error));
  const there = new Set(['*', ...(await admin.tenants()).map(({ slug }) => slug)]);
  const unknown = parsed.data.find((grant) => !there.has(grant.tenant));
  if (unknown === undefined) return parsed.data;
  throw new TenantFault(`expected a tenant, found no "${unknown.tenant}"; tenant list shows them`);
}

async function named(people: ConsoleAdmin['people'], login: string): Promise<PersonRecord> {
  const wanted = login.trim().toLowerCase();
  const found = (await people.list(PROGRAM)).find((each) => each.login === wanted);
  if (found !== undefined) return found;
  throw new TenantFault(
    `expected the login of a person, found no "${login.slice(0, 80)}"; person list shows them`,
  );
}

function lifetime(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== null && milliseconds >= 1_000) return milliseconds;
  throw new TenantFault(
    `expected --expires as a duration of a second or more, such as 90d, found ${text.slice(0, 40)}`,
  );
}
