import { describe, expect, it } from 'vitest';
import { renderDiff } from '../../cli/render/diff.ts';
import { verdict } from '../../cli/render/status.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { conclude } from '../../reconciler/conditions.ts';
import type { Status } from '../../schemas/status.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const REVISION = 'tenant/acme@sha1:3f2a9c1d04be';
const WAY_OUT = '("edge-agent resume" lets go)';
const lines: string[] = [];
const terminal = {
  line: (text = '') => lines.push(text),
  paint: (_style: string, text: string) => text,
} as unknown as Terminal;

/** What is active and held, and what the reconcile before knew of it. */
function statusOf(held: Readonly<Record<string, string>>, known: readonly string[]): Status {
  const pace = { intervalMs: 60_000, failures: 0, uniform: 0.5 };
  const outcome = { revision: REVISION, setbacks: [], unhealthy: [], held: known, warnings: [] };
  return {
    conditions: conclude(outcome, [], NOW, pace).conditions,
    flows: Object.entries(held).map(([id, active_version]) => ({
      id,
      active_version,
      held: { by: 'ann', why: 'trying it' },
    })),
  } as unknown as Status;
}

describe('the line that says what is held after a roll back', () => {
  it('names the version and the way out, before and after the next reconcile, each once', () => {
    const first = verdict(statusOf({ report: 'v1.0.0' }, []), terminal);
    expect(first).toBe(
      `● Ready  ${REVISION} is applied in full; held after a rollback: report at v1.0.0 ${WAY_OUT}`,
    );
    expect(verdict(statusOf({ report: 'v1.0.0' }, ['report at v1.0.0']), terminal)).toBe(first);
  });

  it('adds what was rolled back since, also a flow whose name ends like another', () => {
    const said = verdict(
      statusOf({ 'daily-report': 'v1.0.0', report: 'v1.0' }, ['daily-report at v1.0.0']),
      terminal,
    );
    expect(said.split(WAY_OUT)).toHaveLength(3);
    expect(said).toContain(`; held after a rollback: report at v1.0 ${WAY_OUT}`);
  });

  it('stands in a diff too, which does not say what the last reconcile said', () => {
    const status = statusOf({ report: 'v1.0.0' }, ['report at v1.0.0']);
    renderDiff({ revision: REVISION, changes: [], problems: [], status } as never, terminal);
    expect(lines.at(-1)).toBe(
      `Nothing to do: tenant/acme@3f2a9c1d04be is what runs here; held after a rollback: report at v1.0.0 ${WAY_OUT}.`,
    );
  });
});
