import { describe, expect, it } from 'vitest';
import type { ReconcileAnswer } from '../../agent/operations.ts';
import { renderReconcile } from '../../cli/render/reconcile.ts';
import type { Terminal } from '../../cli/terminal.ts';

const REVISION = `tenant/acme@sha1:${'1'.repeat(40)}`;

function shown(answer: Partial<ReconcileAnswer>, released?: Parameters<typeof renderReconcile>[2]): string[] {
  const lines: string[] = [];
  const terminal = {
    line: (text: string) => lines.push(text),
    paint: (_style: string, text: string) => text,
  } as unknown as Terminal;
  const ready = answer.exit_code === 0;
  const message = ready ? `${REVISION} is applied in full` : 'unhealthy: web';
  const report = {
    actions: [],
    flows: [],
    source: { last_applied_revision: REVISION },
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', reason: '', message }],
  } as unknown as ReconcileAnswer['report'];
  renderReconcile({ report, problems: [], exit_code: 0, ...answer }, terminal, released);
  return lines;
}

describe('what reconcile and retry print', () => {
  it('is the verdict when all is applied and a flow is unhealthy', () => {
    const problems = [{ kind: 'unhealthy', code: 'unhealthy', message: 'flow web is unhealthy: …' }];
    expect(shown({ exit_code: 4, problems })).toEqual(['● Not ready  unhealthy: web']);
  });

  it('is nothing on standard output when something is in the way, which is told as an error', () => {
    const problems = [{ kind: 'stalled', code: 'quarantined', message: 'flow web: …' }];
    expect(shown({ exit_code: 4, problems })).toEqual([]);
  });

  it('is what a retry let go, and not that there was nothing to do', () => {
    const released = { quarantined: ['svc', 'web'], waiting: ['bot'], reports: 1 };
    expect(shown({ exit_code: 0 }, released)).toEqual([
      'svc, web: no longer quarantined',
      'bot: tried again at once',
      '1 refused report is sent again',
      expect.stringMatching(/^● Ready/),
    ]);
    const nothing = { quarantined: [], waiting: [], reports: 0 };
    expect(shown({ exit_code: 0 }, nothing)[0]).toMatch(/^Nothing to do: /);
  });
});
