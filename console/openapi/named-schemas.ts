import { z } from 'zod';
import * as action from '../../schemas/console/action.ts';
import * as agent from '../../schemas/console/agent.ts';
import * as command from '../../schemas/console/command.ts';
import * as event from '../../schemas/console/event.ts';
import * as keys from '../../schemas/console/keys.ts';
import * as live from '../../schemas/console/live.ts';
import * as overview from '../../schemas/console/overview.ts';
import * as people from '../../schemas/console/people.ts';
import * as release from '../../schemas/console/release.ts';
import * as run from '../../schemas/console/run.ts';
import * as session from '../../schemas/console/session.ts';
import * as token from '../../schemas/console/token.ts';
import * as triggerKey from '../../schemas/console/trigger-key.ts';
import * as status from '../../schemas/status.ts';

const MODULES: readonly Readonly<Record<string, unknown>>[] = [
  action,
  agent,
  command,
  event,
  keys,
  live,
  overview,
  people,
  release,
  run,
  session,
  token,
  triggerKey,
  // A status is the largest thing that is answered.
  { Status: status.Status },
];

/** The name of a schema in the document is the one that it is exported under. Of queries there is none: their members are parameters. */
export const NAMED_SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map(
  MODULES.flatMap((module) => Object.entries(module)).flatMap(([name, value]) =>
    /^[A-Z](?!\w*Query$)/.test(name) && value instanceof z.ZodType ? [[name, value] as const] : [],
  ),
);
