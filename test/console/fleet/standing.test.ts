import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentState, type Standing, UNREACHABLE_AFTER_MS } from '../../../console/fleet/agent-state.ts';
import { type ConsoleDatabase, openDatabase } from '../../../console/store/sqlite/database.ts';
import { createFleetStore } from '../../../console/store/sqlite/fleet/fleet-store.ts';

const NOW = new Date('2026-11-21T12:00:00.000Z');
const BOOLEANS = [false, true];
const HEARD = [null, 0, UNREACHABLE_AFTER_MS - 1, UNREACHABLE_AFTER_MS, UNREACHABLE_AFTER_MS + 1];

/** Every combination there is. */
const everyStanding = (): Standing[] =>
  BOOLEANS.flatMap((revoked) =>
    BOOLEANS.flatMap((reported) =>
      BOOLEANS.flatMap((stalled) =>
        BOOLEANS.flatMap((unhealthy) =>
          BOOLEANS.flatMap((suspended) =>
            BOOLEANS.flatMap((ready) =>
              HEARD.map((ago) => ({
                revoked,
                reported,
                stalled,
                unhealthy,
                suspended,
                ready,
                lastSeenAt: ago === null ? null : new Date(NOW.getTime() - ago),
              })),
            ),
          ),
        ),
      ),
    ),
  );

let folder: string;
let database: ConsoleDatabase;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'standing-'));
  database = openDatabase(join(folder, 'console.db'));
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('how an agent stands', () => {
  it('is the same in SQL and in the function, for every combination', async () => {
    const standings = everyStanding();
    expect(standings).toHaveLength(320);
    database.sql.exec("INSERT INTO tenants VALUES ('acme', 'x', '{}', 'h', '2026-01-01')");
    database.transaction(() => {
      for (const [at, standing] of standings.entries()) insert(database, `a${at}`, standing);
    });
    const fleet = createFleetStore(database);
    for (const [at, standing] of standings.entries()) {
      const row = await fleet.agent(`a${at}`, NOW);
      expect([standing, row?.state]).toEqual([standing, agentState(standing, NOW)]);
    }
  });

  it('needs a person before it needs time, and is nothing but revoked once it is', () => {
    const well: Standing = {
      revoked: false,
      reported: true,
      stalled: false,
      unhealthy: false,
      suspended: false,
      ready: true,
      lastSeenAt: NOW,
    };
    const silent = new Date(NOW.getTime() - UNREACHABLE_AFTER_MS - 1);
    const state = (change: Partial<Standing>) => agentState({ ...well, ...change }, NOW);
    expect(state({})).toBe('ready');
    expect(state({ ready: false })).toBe('reconciling');
    expect(state({ ready: false, suspended: true })).toBe('suspended');
    expect(state({ lastSeenAt: silent })).toBe('unreachable');
    expect(state({ lastSeenAt: silent, unhealthy: true })).toBe('unhealthy');
    expect(state({ lastSeenAt: silent, unhealthy: true, stalled: true })).toBe('stalled');
    expect(state({ reported: false, lastSeenAt: null })).toBe('waiting');
    expect(state({ revoked: true, stalled: true })).toBe('revoked');
  });
});

function insert({ sql }: ConsoleDatabase, id: string, standing: Standing): void {
  sql
    .prepare(
      `INSERT INTO agents (agent_id, slug, thumbprint, device_jwk, git_token_hash, hostname, os, arch, agent_version, enrolled_at,
         last_seen_at, revoked_at) VALUES (?, 'acme', ?, '{}', ?, 'pc', 'linux', 'x64', '0.1.0', '2026-01-01', ?, ?)`,
    )
    .run(id, id, id, standing.lastSeenAt?.toISOString() ?? null, standing.revoked ? '2026-02-01' : null);
  sql
    .prepare(
      `INSERT INTO agent_summaries (agent_id, made_by, reported_at, stalled, ready, health, is_suspended, state, hostname)
       VALUES (?, 1, ?, ?, ?, ?, ?, 'waiting', 'pc')`,
    )
    .run(
      id,
      standing.reported ? '2026-11-21' : null,
      Number(standing.stalled),
      Number(standing.ready),
      standing.unhealthy ? 'unhealthy' : 'healthy',
      Number(standing.suspended),
    );
}
