import type { Command } from 'commander';
import type { ConsoleAdmin } from './admin.ts';
import { machineName } from './identity-alarms.ts';
import type { ConflictRecord } from './identity-watch.ts';
import { PROGRAM } from './people/actor.ts';
import { TenantFault } from './tenants.ts';
import { table } from './text-table.ts';

interface Common {
  readonly data: string;
  readonly output: 'text' | 'json';
}

/** The operator's verbs on who may speak: `agents`, `revoke`, `rotate-key`, `token list|revoke`, `audit`. */
export function addIdentityVerbs(parts: {
  readonly program: Command;
  readonly token: Command;
  readonly common: (command: Command) => Command;
  readonly print: (options: Common, document: unknown, text: string) => void;
  readonly withAdmin: (
    options: Common & { tenant?: string | undefined },
    work: (admin: ConsoleAdmin) => Promise<void>,
  ) => Promise<void>;
}): void {
  const { program, token, common, print, withAdmin } = parts;
  /** Neither of the machines is heard any more once the agent is revoked: there is nothing left to do about it. */
  const inConflict = (row: { revoked_at: string | null; identity_conflict: ConflictRecord | null }) =>
    row.revoked_at === null && row.identity_conflict?.state === 'ongoing';
  const unknown = (agentId: string) =>
    new TenantFault(`expected the id of an agent, found no ${agentId}; the verb agents lists them`);

  common(program.command('agents'))
    .description('show the agents')
    .option('--tenant <slug>')
    .action(async (options: Common & { tenant?: string }) =>
      withAdmin(options, async (admin) => {
        const agents = await admin.agents(options.tenant);
        const rows = await Promise.all(
          agents.map(async ({ device_jwk: _key, ...agent }) => ({
            ...agent,
            identity_conflict: await admin.conflict(agent.agent_id),
          })),
        );
        const shown = rows.map((row) => ({
          ...row,
          identity: inConflict(row) ? 'CONFLICT' : '',
        }));
        const columns = [
          'agent_id',
          'tenant',
          'hostname',
          'agent_version',
          'last_seen_at',
          'revoked_at',
          'identity',
        ] as const;
        const conflicts = rows
          .filter(inConflict)
          .flatMap(({ agent_id, identity_conflict: found }) =>
            found === null
              ? []
              : [
                  `\nTwo machines speak as ${agent_id} since ${found.since}:`,
                  ...found.machines.map(
                    (machine) => `  ${machineName(machine)}, last heard ${machine.last_at}`,
                  ),
                  '  One of them is a copy: run "edge-agent unenroll --local" on it, then enrol it with a token of its own.',
                ],
          );
        print(options, rows, [table(shown, columns), ...conflicts].join('\n'));
      }),
    );
  common(program.command('revoke <agent_id>'))
    .description('take nothing more from an agent, and give it nothing')
    .option('--why <text>', 'said to the agent, and kept')
    .option('--by <name>', 'who revokes', 'operator')
    .action(async (agentId: string, options: Common & { why?: string; by: string }) =>
      withAdmin(options, async (admin) => {
        const { why = null, by } = options;
        if (by === 'agent')
          throw new TenantFault(
            'expected --by with a name, found "agent", which is what an agent does itself',
          );
        const before = (await admin.agents()).find(({ agent_id }) => agent_id === agentId);
        if (!(await admin.revokeAgent(agentId, { by, why: why?.slice(0, 256) ?? null })))
          throw unknown(agentId);
        const first = before?.revoked_at ?? null;
        const again = `${agentId} was revoked before, at ${first} by ${before?.revoked_by ?? 'operator'}: that counts, this changes nothing.`;
        const done = `${agentId} is revoked: its key, its git token and its connection are void, and what waited for it is dropped.
Keys of an artifact store of your own are the tenant's: change them there if this agent was given them.`;
        print(options, { agent_id: agentId, revoked: true }, first === null ? done : again);
      }),
    );
  common(program.command('rotate-key <agent_id>'))
    .description('ask an agent to change its device key, when it sends its next status')
    .option('--why <reason>', 'for the audit')
    .action(async (agentId: string, { why, ...options }: Common & { why?: string }) =>
      withAdmin(options, async (admin) => {
        if (!(await admin.askRotation(agentId, PROGRAM, why?.slice(0, 256) ?? null))) throw unknown(agentId);
        print(options, { agent_id: agentId, asked: true }, `${agentId} is asked to change its device key.`);
      }),
    );

  common(token.command('list [slug]'))
    .description('show the enrolment tokens that were made; the tokens themselves are kept nowhere')
    .action(async (slug: string | undefined, options: Common) =>
      withAdmin({ ...options, tenant: slug }, async (admin) => {
        const rows = await admin.tokens(slug);
        const columns = ['token_id', 'tenant', 'state', 'made_at', 'expires_at', 'agent_id'] as const;
        print(options, rows, table(rows, columns));
      }),
    );
  common(token.command('revoke <token_id>'))
    .description('make an enrolment token void; an agent it has made stays one')
    .action(async (tokenId: string, options: Common) =>
      withAdmin(options, async (admin) => {
        const found = await admin.revokeToken(tokenId);
        if (found === null) {
          throw new TenantFault(`expected the id of a token, found no ${tokenId}; token list shows them`);
        }
        const stays = found.agent_id === null ? '' : ` It has made agent ${found.agent_id}, which stays one.`;
        print(options, found, `Token ${tokenId} is void.${stays}`);
      }),
    );

  common(program.command('audit'))
    .description('show what happened to identities: enrolments, keys, revocations, copies; newest first')
    .option('--agent <id>')
    .option('--tenant <slug>')
    .action(async (options: Common & { agent?: string; tenant?: string }) =>
      withAdmin(options, async (admin) => {
        const rows = await admin.audit({ ...options, limit: 200 });
        print(options, rows, table(rows, ['at', 'tenant', 'agent_id', 'action', 'by', 'message']));
      }),
    );
}
