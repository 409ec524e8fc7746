import { counted } from '../counted.ts';
import type { en } from '../en/flows.ts';

const n = counted('fr');

export const fr: typeof en = {
  title: 'Flux',
  lead: 'Un flux est une automatisation d’un client. Ses versions arrivent aux agents avec les publications.',
  search: 'Flux',
  column: {
    flow: 'Flux',
    tenant: 'Client',
    runtime: 'Environnement',
    versions: 'Quelles versions tournent',
    agents: 'Agents',
    health: 'Santé',
    runs: 'Exécutions en 24 h',
    last: 'La dernière',
  },
  held: (count) => n(count, { one: '# à la main', other: '# à la main' }),
  more: (count) => `+${count}`,
  unhealthy: (count) => n(count, { one: '# défaillant', other: '# défaillants' }),
  allHealthy: 'Tous sains',
  // A line may end behind the comma alone.
  runsOf: (succeeded, failed) =>
    `${n(succeeded, { one: '#\u00a0réussie', other: '#\u00a0réussies' })}, ${n(failed, { one: '#\u00a0échouée', other: '#\u00a0échouées' })}`,
  noRuns: 'aucune',
  none: 'Aucun flux n’est encore sur un agent',
  noneMore:
    'Nommez des flux dans le manifeste, signez et poussez : ils apparaissent ici dès que des agents les prennent.',
  one: {
    run: 'Exécuter',
    rollback: 'Revenir en arrière partout',
    versions: 'Quels agents exécutent quelle version',
    version: 'Version',
    active: 'Active sur',
    desired: 'Voulue sur',
    share: 'Part',
    show: 'Afficher ces agents',
    showHeld: (count) =>
      n(count, { one: '# revenu en arrière à la main', other: '# revenus en arrière à la main' }),
    runs: 'Dernières exécutions',
    allRuns: 'Toutes les exécutions de ce flux',
    noRuns: 'Il n’a encore jamais tourné',
    noRunsMore: 'Les exécutions apparaissent ici dès qu’elles sont demandées.',
    agents: (count) => n(count, { one: '# agent', other: '# agents' }),
    facts: 'Données',
    whichAgent: 'Choisissez l’agent dans la liste de ceux qui l’ont.',
  },
};
