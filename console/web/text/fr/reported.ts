import { counted } from '../counted.ts';
import type { en } from '../en/reported.ts';

const n = counted('fr');

export const fr: typeof en = {
  atReport: 'à son dernier rapport',
  tunnel: {
    none: 'pas utilisé',
    connecting: 'connexion en cours',
    connected: 'connecté',
    disconnected: 'pas connecté',
  },
  trust: {
    required: 'signatures exigées',
    optional: 'signatures facultatives',
    off: 'désactivée',
    tuf: 'TUF',
  },
  isolation: {
    user: 'compte à part',
    bubblewrap: 'bac à sable',
    cgroup: 'cgroup',
    'process-group': 'groupe de processus',
    taskkill: 'arbre de processus',
    refused: 'aucun flux n’est lancé : l’agent est root, et agent.yaml ne nomme pas de compte pour les flux',
  },
  service: {
    starting: 'en démarrage',
    ready: 'prêt',
    restarting: 'en redémarrage',
    broken: 'en panne',
    stopped: 'arrêté',
  },
  processes: {
    title: 'Machines qui parlent avec elle',
    lead: 'Une commande comme edge-agent reconcile est un processus à part, le temps d’un instant, à côté du démon. Quand une copie de cette identité parle, le haut de la page le dit.',
    count: 'Processus',
    counted: (count) => n(count, { one: '# processus', other: '# processus' }),
  },
};
