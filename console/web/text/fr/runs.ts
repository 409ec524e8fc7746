import type { en } from '../en/runs.ts';

export const fr: typeof en = {
  title: 'Exécutions',
  lead: 'Une exécution, c’est une version d’un flux qui tourne une fois sur une machine.',
  search: 'Exécution, flux, hôte, version, raison',
  column: {
    state: 'État',
    flow: 'Flux',
    version: 'Version',
    host: 'Hôte',
    trigger: 'Déclencheur',
    duration: 'Durée',
    exit: 'Code',
    when: 'Quand',
    attempt: (attempt) => `Tentative ${attempt}`,
  },
  triggers: { command: 'Commande', schedule: 'Horaire', local: 'Sur la machine' },
  any: { state: 'État : tous', trigger: 'Déclencheur : tous' },
  filter: { agent: 'Agent', flow: 'Flux', version: 'Version', since: 'Depuis', until: 'Jusqu’à' },
  none: 'Rien n’a encore été exécuté',
  noneMore:
    'Les exécutions apparaissent ici dès qu’elles sont demandées, par un horaire, une commande ou quelqu’un sur la machine.',
};
