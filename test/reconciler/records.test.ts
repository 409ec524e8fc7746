import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAgentRecords } from '../../reconciler/records.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';

let folder: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edge-records-'));
  database = openDatabase(join(folder, 'agent.db'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const open = () => createAgentRecords(createStateDocuments(database));
const changes = () => Number(database.sqlite.prepare('SELECT total_changes() AS n').get()?.['n']);
const at = (minutes: number) => new Date(Date.UTC(2026, 10, 20, 12, minutes)).toISOString();

it('writes nothing when only the times of looking changed, and says them all the same', () => {
  const records = open();
  records.saveSource({ desired_revision: 'tenant/acme@sha1:1', last_sync_at: at(0), next_attempt_at: at(1) });
  const before = changes();
  records.saveSource({ last_sync_at: at(1) });
  records.saveSource({ failures: 0, next_attempt_at: at(2) });
  expect(changes()).toBe(before);
  expect(records.source()).toMatchObject({ last_sync_at: at(1), next_attempt_at: at(2) });
  expect(open().source()).toMatchObject({ last_sync_at: at(0), next_attempt_at: at(1) });
});

it('writes the times with the next change, after five minutes, and when it is flushed', () => {
  const records = open();
  records.saveSource({ last_sync_at: at(0) });
  records.saveSource({ last_sync_at: at(1) });
  records.saveSource({ failures: 1 });
  expect(open().source()).toMatchObject({ last_sync_at: at(1), failures: 1 });
  records.saveSource({ last_sync_at: at(6) });
  expect(open().source().last_sync_at).toBe(at(6));
  records.saveSource({ last_sync_at: at(7) });
  records.flush();
  expect(open().source().last_sync_at).toBe(at(7));
});

it('writes nothing for a document that stays as it was', () => {
  const records = open();
  records.saveTrustSeen({ root_version: 1, seq: 3, release_expires: null });
  const before = changes();
  records.saveTrustSeen({ root_version: 1, seq: 3, release_expires: null });
  expect(changes()).toBe(before);
  records.saveTrustSeen({ root_version: 1, seq: 4, release_expires: null });
  expect(changes()).toBeGreaterThan(before);
  expect(records.trustSeen().seq).toBe(4);
});
