import { counted } from '../counted.ts';
import type { en } from '../en/releases.ts';

const n = counted('fr');

export const fr: typeof en = {
  title: 'Publications',
  lead: 'Une publication est un commit signé sur la branche d’un client. Chaque agent du client y va, à son heure.',
  search: 'Sujet, auteur, révision',
  column: {
    commit: 'Commit',
    revision: 'Révision',
    tenant: 'Client',
    seq: 'Seq',
    progress: 'Avancement',
    applied: 'Appliquée',
    seen: 'Vue la première fois',
  },
  newest: 'La dernière',
  noCommit: 'Commit inconnu ici',
  applied: (applied, total) => `${applied} sur ${total}`,
  heldBack: (count) => n(count, { one: '# retenue', other: '# retenues' }),
  replaced: 'Remplacée partout',
  none: 'Rien n’a encore été publié',
  noneMore: 'Poussez une publication signée sur la branche du client : elle apparaît ici dans la seconde.',
  one: {
    verdict: {
      everywhere: (total) =>
        n(total, { one: 'Le seul agent l’a appliquée.', other: 'Les # agents l’ont appliquée.' }),
      held: (applied, held, total) =>
        `${applied} sur ${n(total, { one: '# agent', other: '# agents' })} ${applied <= 1 ? 'l’a' : 'l’ont'} appliquée, ${held} en ${held === 1 ? 'retient' : 'retiennent'} un flux.`,
      on_its_way: (applied, total) =>
        `${applied} sur ${n(total, { one: '# agent', other: '# agents' })} ${n(applied, { one: 'l’a', other: 'l’ont' })} appliquée ; cela continue.`,
      failing: (failing, total) =>
        `${n(failing, { one: '# agent ne peut', other: '# agents ne peuvent' })} pas l’appliquer, sur ${total}.`,
      pending: (pending, total) =>
        `${n(pending, { one: '# agent n’a', other: '# agents n’ont' })} pas encore parlé d’elle, sur ${total}.`,
      older: (applied) =>
        applied === 0
          ? 'Plus aucun agent ne l’exécute.'
          : `Une plus récente a suivi ; ${n(applied, { one: '# agent l’exécute', other: '# agents l’exécutent' })} encore.`,
      nobody: 'Le client n’a pas d’agent.',
    },
    manifest: 'Ce qu’elle dit',
    manifestNone:
      'La console ne peut pas lire son manifeste : le git du client est ailleurs, ou le commit a disparu.',
    flow: 'Flux',
    version: 'Version',
    digest: 'Empreinte',
    runtime: 'Environnement',
    schedule: 'Horaire',
    problems: 'Pourquoi elle échoue',
    problemsMore: 'Dans les mots des agents, le plus fréquent d’abord.',
    showFailing: 'Afficher ces agents',
    progress: 'Appliquée au fil du temps',
    progressNone: 'Aucun agent ne l’a encore appliquée.',
    progressLabel: (reached) =>
      `Au fil du temps, ${n(reached, { one: '# agent l’a eue', other: '# agents l’ont eue' })}`,
    reached: (reached) => n(reached, { one: '# agent l’a eue', other: '# agents l’ont eue' }),
    agents: 'Agents',
    withIt: 'Agents qui l’ont appliquée',
    holding: 'Agents qui en retiennent un flux',
    heldMore:
      'Quelqu’un y est revenu en arrière à la main. Une version plus récente du flux, ou Reprendre, y met fin.',
    stalled: 'Agents qui ne peuvent pas',
    silent: 'Agents silencieux',
    commit: 'Commit',
    author: 'Auteur',
    time: 'Date du commit',
    seen: 'Vue ici la première fois',
    seq: 'Numéro de séquence',
  },
};
