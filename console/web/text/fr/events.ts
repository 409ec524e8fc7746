import type { en } from '../en/events.ts';

export const fr: typeof en = {
  title: 'Événements',
  lead: 'Tout ce que les agents ont fait, dans leurs mots (en anglais), dans l’ordre où la console l’a appris.',
  search: 'Mots du message, hôte, raison',
  column: { time: 'Heure', severity: 'Gravité', reason: 'Raison', host: 'Hôte', message: 'Message' },
  run: 'L’exécution',
  because: 'Parce que',
  any: { severity: 'Gravité : toutes', range: 'Période : toute' },
  filter: {
    agent: 'Agent',
    reason: 'Raison',
    flow: 'Flux',
    run_id: 'Exécution',
    since: 'Depuis',
    until: 'Jusqu’à',
  },
  ranges: { '1': 'Dernière heure', '24': 'Dernier jour', '168': '7 derniers jours' },
  none: 'Pas encore d’événement',
  noneMore:
    'Chaque action d’un agent est un événement. Ils arrivent dans les secondes qui suivent le premier rapport.',
};
