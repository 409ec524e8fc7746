import { describe, expect, it } from 'vitest';
import { renderStatus } from '../../cli/render/status.ts';
import type { Terminal } from '../../cli/terminal.ts';
import type { IdentityStatus, Status } from '../../schemas/status.ts';

const NOW = new Date('2026-11-21T12:00:00Z');

function shown(identity: IdentityStatus, tunnel: string | null): string {
  const message = `tenant/acme@3f2a9c1d04be is applied in full${identity.message === null ? '' : `; ${identity.message}`}`;
  const at = NOW.toISOString();
  const status = {
    agent_id: 'one',
    tenant: 'acme',
    trust: { mode: 'off', seq: null, root_version: null, release_expires: null },
    suspended: null,
    config: { digest: 'x', error: null },
    source: { desired_revision: null, commit: null, last_applied_revision: null, last_sync_at: at },
    tunnel: { state: 'disconnected', since: at },
    flows: [],
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'RevisionApplied',
        message,
        observed_revision: null,
        changed_at: at,
      },
    ],
    runs: { running: 0, queued: 0, last: null },
    outbox: { pending: 0, parked: 0, oldest_at: null },
    disk: { used: 0, free: 0 },
    identity,
  } as unknown as Status;
  const lines: string[] = [];
  const terminal = {
    json: false,
    width: 80,
    watched: false,
    line: (text = '') => lines.push(text),
    paint: (style: string, text: string) => `<${style}>${text}`,
  } as unknown as Terminal;
  const extras = { agent: 'edge-agent run, process 1', obstacles: { flows: [], tunnel }, unenrolled: false };
  renderStatus(status, terminal, NOW, extras);
  return lines.join('\n');
}

describe('what status says to people of an identity in doubt', () => {
  it.each([
    ['revoked', '! Revoked', 'the console takes nothing more from this agent (left the company)'],
    ['key_retired', '! Key retired', 'this machine has a device key that was replaced elsewhere'],
    ['conflict', '! Conflict', 'another machine speaks with the identity of this agent: a; b'],
  ] as const)('is no green Ready when it is %s, and is said in full once', (state, label, message) => {
    const text = shown(
      { state, since: NOW.toISOString(), message },
      "found 401: the console does not believe this agent's key",
    );
    expect(text.split('\n')[0]).toContain(`<yellow>${label}`);
    expect(text.split('\n')[0]).toContain('is applied in full');
    expect(text).not.toContain('● Ready');
    expect(text.split(`<red>${message}`)).toHaveLength(2);
    expect(text.split('\n')[0]).not.toContain(`; ${message}`);
    expect(text).toMatch(/Tunnel.*: see Identity$/m);
  });

  it('leaves a reason of the tunnel that is another one', () => {
    const message = 'another machine speaks with the identity of this agent: a; b';
    expect(
      shown({ state: 'conflict', since: NOW.toISOString(), message }, 'no such name: console.example'),
    ).toMatch(/Tunnel.*: no such name: console\.example$/m);
  });

  it('stays a green Ready in good standing', () => {
    const text = shown({ state: 'enrolled', since: null, message: null }, null);
    expect(text).toMatch(/^<green>● Ready {2}tenant\/acme@3f2a9c1d04be is applied in full\n/);
    expect(text).not.toContain('Identity');
  });
});
