import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RootView } from '../../agent/root-ceremony.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { type CeremonyFolder, ceremonyFolder } from '../agent/ceremony-folder.ts';
import { type Ended, edgeAgent } from './edge-agent.ts';

const keys = { ann: newKey(), ben: newKey(), rel: newKey() };

let folder: CeremonyFolder;
beforeAll(async () => {
  folder = await ceremonyFolder();
  for (const [name, key] of Object.entries(keys)) await folder.keep(name, key);
});
afterAll(async () => folder[Symbol.asyncDispose]());

const run = async (...args: string[]): Promise<Ended> => edgeAgent(['root', ...args], { cwd: folder.path });
const view = async (...args: string[]): Promise<RootView> => {
  const ended = await run(...args, '--output', 'json');
  expect(ended).toMatchObject({ code: 0 });
  return ended.json() as RootView;
};

describe('edge-agent root', () => {
  it('drafts, signs, combines, rotates and shows', async () => {
    const roles = ['--root-key', 'ann.pub', 'ben.pub', '--root-threshold', '2', '--release-key', 'rel.pub'];
    const draft = await view('new', ...roles, '--expires', '2090-01-31');
    expect(draft).toMatchObject({
      file: '1.root.jws.json',
      expires: '2090-01-31T00:00:00Z',
      complete: false,
    });
    await Promise.all([
      view('sign', '1.root.jws.json', '--key', 'ann.jwk', '--out', 'a.json'),
      view('sign', '1.root.jws.json', '--key', 'ben.jwk', '--out', 'b.json'),
    ]);
    const whole = await view('combine', 'a.json', 'b.json', '--out', '1.root.jws.json');
    expect(whole).toMatchObject({ complete: true, own: { met: true } });

    const change = [
      '--add-release-key',
      'ann.pub',
      '--remove-release-key',
      keys.rel.kid,
      '--expires',
      '2091-01-31',
    ];
    const next = await view('rotate', '1.root.jws.json', ...change);
    expect(next).toMatchObject({
      file: '2.root.jws.json',
      version: 2,
      roles: { release: { keyids: [keys.ann.kid] } },
    });
    expect((await run('show', '2.root.jws.json')).stdout).toContain(
      'Next: edge-agent root sign 2.root.jws.json --previous <root 1> --key <private.jwk>',
    );
    const shown = await run('show', 'a.json');
    expect(shown).toMatchObject({ code: 0, stderr: expect.stringContaining('root threshold 2 of 2') });
    expect(shown.stdout).toContain('signed by 1 of the 2 root keys');
    expect(shown.stdout).toContain(`${keys.ben.kid} has not signed`);
  });

  it('tells wrong use on both outputs, with exit 2', async () => {
    const late = await run('new', '--root-key', 'ann.pub', '--expires', '2020-01-01', '--output', 'json');
    expect(late.code).toBe(2);
    const { error } = late.json() as { error: { code: string; message: string } };
    expect(error).toEqual({ code: 'usage', message: expect.stringContaining('after now') });
    expect(late.stderr).toContain(error.message);
  });
});
