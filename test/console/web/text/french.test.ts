import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { fr as actions } from '../../../../console/web/text/fr/actions.ts';
import { fr as agent } from '../../../../console/web/text/fr/agent.ts';
import { fr as flows } from '../../../../console/web/text/fr/flows.ts';
import { fr as frame } from '../../../../console/web/text/fr/frame.ts';
import { fr as overview } from '../../../../console/web/text/fr/overview.ts';
import { fr as releases } from '../../../../console/web/text/fr/releases.ts';
import { fr as reported } from '../../../../console/web/text/fr/reported.ts';
import { fr as tokens } from '../../../../console/web/text/fr/tokens.ts';
import { ServiceState } from '../../../../schemas/service.ts';
import { FlowPhase, TrustMode } from '../../../../schemas/status.ts';

const FOLDER = new URL('../../../../console/web/text/fr/', import.meta.url);

/** Every text with the way to it; a function is asked with one, two and none of everything. */
function textsOf(value: unknown, at: string): [string, string][] {
  if (typeof value === 'string') return [[at, value]];
  if (typeof value === 'function')
    return [0, 1, 2].flatMap((count) =>
      textsOf(
        (value as (...counts: number[]) => unknown)(count, count, count, count, count),
        `${at}(${count})`,
      ),
    );
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inside]) => textsOf(inside, `${at}.${name}`));
}

async function everyText(): Promise<[string, string][]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.ts'));
  const areas = await Promise.all(
    names.map(async (name) => {
      const { fr } = (await import(new URL(name, FOLDER).href)) as { fr: unknown };
      return textsOf(fr, name);
    }),
  );
  return areas.flat();
}

describe('the French of the pages', () => {
  it('has one word for a thing', async () => {
    const texts = await everyText();
    expect(texts.length).toBeGreaterThan(600);
    // enrol: enrôler; release: publication; unhealthy: défaillant.
    const others = /\b(ré)?inscri|\bmise en production|\brelease\b(?!\.jws|_|\w*[A-Z])|mauvaise santé/i;
    expect(texts.filter(([, text]) => others.test(text))).toEqual([]);
    expect([frame.nav.tokens, tokens.title, agent.fact.enrolled]).toEqual([
      'Enrôler',
      'Enrôler une machine',
      'Enrôlé',
    ]);
    expect(new Set([flows.column.runtime, releases.one.runtime])).toEqual(new Set(['Environnement']));
    expect(frame.nav.runs).toBe('Exécutions');
  });

  it('has a space before a colon, a question and a semicolon', async () => {
    // An address, a time, a pair of JSON and a command are not French.
    const wrong = (await everyText()).filter(([, text]) => /[\p{L}»)][:;?!](\s|$)/u.test(text));
    expect(wrong).toEqual([]);
  });

  it('agrees with none, one and more', () => {
    const of = (say: (count: number) => string) => [0, 1, 2].map(say);
    expect(of((count) => flows.runsOf(0, count))).toEqual([
      '0\u00a0réussie, 0\u00a0échouée',
      '0\u00a0réussie, 1\u00a0échouée',
      '0\u00a0réussie, 2\u00a0échouées',
    ]);
    expect(of(flows.unhealthy)).toEqual(['0 défaillant', '1 défaillant', '2 défaillants']);
    expect(of(frame.searchFound)).toEqual(['0 trouvé', '1 trouvé', '2 trouvés']);
    expect(of(overview.failed)).toEqual(
      ['échouée', 'échouée', 'échouées'].map((word) => `${word} en une heure`),
    );
    expect(of((count) => overview.mostSay(count, 3)).slice(1)).toEqual([
      'L’un d’entre eux dit',
      '2 d’entre eux disent',
    ]);
    expect(overview.mostSay(1, 1)).toBe('Il dit');
    expect(releases.one.verdict.failing(1, 5)).toBe('1 agent ne peut pas l’appliquer, sur 5.');
    expect(releases.one.verdict.failing(2, 5)).toBe('2 agents ne peuvent pas l’appliquer, sur 5.');
    expect(actions.done('run', 2, 1)).toBe('2 exécutions demandées, 1 refusée');
    expect(actions.done('suspend', 2, 2)).toBe('Suspension demandée à 2 agents, 2 refusés');
  });

  it('has a word of its own for what an agent reports', () => {
    const shown = { ...reported.tunnel, ...reported.service, ...agent.phases };
    for (const word of ['none', 'connecting', 'connected', ...ServiceState.options, ...FlowPhase.options])
      expect([word, shown[word as keyof typeof shown]]).toEqual([
        word,
        expect.not.stringMatching(`^${word}$`),
      ]);
    for (const mode of TrustMode.options) expect(reported.trust[mode]).not.toBe(mode);
  });
});
