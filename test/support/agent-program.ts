import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command as it lies in a checkout: Node strips some 150 modules of types at every start. */
export const SOURCE_MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/**
 * What tests start as `edge-agent` and as a child of it: the command in one piece, as `npm run build` makes it, built once for the
 * whole run (built-command.ts). From source under EDGE_AGENT_FROM_SOURCE=1 (docs/decisions/0091-built-command-in-tests.md).
 */
export const AGENT_MAIN = process.env['EDGE_AGENT_BUILT_COMMAND'] ?? SOURCE_MAIN;

/** What a child of the program must be able to read of it under Node's permission model. */
export const AGENT_FOLDER = dirname(dirname(AGENT_MAIN));
