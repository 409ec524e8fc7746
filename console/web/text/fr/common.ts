import { counted } from '../counted.ts';
import type { en } from '../en/common.ts';

const n = counted('fr');

export const fr: typeof en = {
  state: {
    stalled: 'Bloqué',
    unhealthy: 'Défaillant',
    unreachable: 'Injoignable',
    reconciling: 'En cours',
    suspended: 'Suspendu',
    waiting: 'En attente',
    ready: 'Prêt',
    revoked: 'Révoqué',
  },
  stateMeans: {
    stalled: 'Ne peut pas faire ce que dit sa branche, et réessayer n’y changera rien',
    unhealthy: 'Un de ses flux échoue à son contrôle de santé',
    unreachable: 'Sans nouvelles depuis onze minutes ou plus',
    reconciling: 'En route vers ce que dit sa branche',
    suspended: 'Quelqu’un lui a dit de rester tel quel',
    waiting: 'Enrôlé, mais n’a encore rien rapporté',
    ready: 'Ce que dit sa branche est ce qui tourne',
    revoked: 'N’est plus admis',
  },
  run: {
    asked: 'Demandée',
    queued: 'En file',
    running: 'En cours',
    succeeded: 'Réussie',
    failed: 'Échouée',
    timed_out: 'Délai dépassé',
    cancelled: 'Annulée',
    lost: 'Perdue',
    refused: 'Refusée',
    expired: 'Expirée',
  },
  held: {
    mark: (what) => `retient ${what}`,
    agents: (count, what) => `${n(count, { one: '# agent retient', other: '# agents retiennent' })} ${what}`,
    more: (flow, version, desired, by, why) =>
      `${flow} : ${version ?? 'aucune'}${desired === null ? '' : `, la branche dit ${desired}`}. Retour en arrière par ${by} : ${why}`,
  },
  health: { healthy: 'Sain', unhealthy: 'Défaillant', unknown: 'Inconnu' },
  severity: { info: 'Info', warning: 'Alerte', error: 'Erreur' },
  role: { viewer: 'Lecteur', operator: 'Opérateur', admin: 'Administrateur' },

  close: 'Fermer',
  cancel: 'Annuler',
  copy: 'Copier',
  copied: 'Copié',
  copyOf: (what) => `Copier ${what}`,
  retry: 'Réessayer',
  none: 'aucune',
  never: 'jamais',
  unknown: 'inconnu',
  loading: 'Chargement',
  more: 'Plus',
  agents: (count) => n(count, { one: '# agent', other: '# agents' }),
  flows: (count) => n(count, { one: '# flux', other: '# flux' }),
  runs: (count) => n(count, { one: '# exécution', other: '# exécutions' }),

  table: {
    rows: (from, to, total) => `${from}–${to} sur ${total}`,
    previous: 'Page précédente',
    next: 'Page suivante',
    newer: 'Plus récents',
    older: 'Plus anciens',
    sortBy: (column) => `Trier par ${column}`,
    select: (row) => `Sélectionner ${row}`,
    selectPage: 'Sélectionner toutes les lignes de cette page',
    selected: (count) => n(count, { one: '# sélectionné', other: '# sélectionnés' }),
    selectAll: (count) => `Sélectionner les ${n(count, { one: '#', other: '#' })} qui correspondent`,
    allSelected: (count) => `Les ${n(count, { one: '#', other: '#' })} qui correspondent sont sélectionnés`,
    clearSelection: 'Effacer la sélection',
    without: (filter) => `Retirer le filtre ${filter}`,
    clearFilters: 'Effacer tous les filtres',
    nothingMatches: 'Rien ne correspond à ces filtres',
    nothingMatchesMore: 'Retirez-en un, ou cherchez autre chose.',
    nothingSoFar: 'Rien jusqu’ici',
    nothingSoFarMore: 'Ce qui est plus ancien n’a pas encore été parcouru.',
    search: 'Filtrer',
  },
  required: 'obligatoire',
  confirm: {
    reason: 'Motif',
    reasonNote: 'Noté dans l’audit, et transmis à l’agent quand la commande le permet.',
    reasonFirst: 'Dites d’abord pourquoi',
    reasonMissing: 'Dites pourquoi, en quelques mots : d’autres le liront.',
    willHappen: 'Ce qui va se passer',
    looking: 'Recherche de ce que cela ferait…',
  },
  fault: {
    title: 'Le chargement a échoué',
    offline: 'La console ne répond pas. Vérifiez le réseau ; la page réessaie d’elle-même.',
    timeout: 'La console n’a pas répondu à temps. Elle est peut-être occupée : réessayez dans un instant.',
    notUnderstood: 'La réponse ne vient pas de cette console. Un proxy est peut-être sur le chemin.',
    tooMany: (seconds) =>
      seconds === null
        ? 'Trop de requêtes. Patientez un peu, puis réessayez.'
        : `Trop de requêtes. Réessayez dans ${n(Math.max(1, seconds), { one: '# seconde', other: '# secondes' })}.`,
    unavailable: {
      full: 'Le disque de la console est plein : rien n’a été changé. Faites de la place sur sa machine, puis réessayez. Ce qui se lit se lit toujours.',
      read_only:
        'Le disque de la console n’accepte plus rien : rien n’a été changé. Faites vérifier le disque et les droits sur sa machine, puis réessayez. Ce qui se lit se lit toujours.',
      busy: 'La console est trop occupée en ce moment : rien n’a été changé. Réessayez dans quelques secondes.',
      closing: 'La console s’arrête ou redémarre : rien n’a été changé. Réessayez dans une minute.',
    },
    notFound: 'Ceci n’existe pas, ou ne vous est pas visible.',
    saved: 'Votre changement n’a pas été fait.',
    broke: 'Quelque chose a cassé dans cette page',
    brokeMore:
      'Le reste de la console fonctionne. Rechargez la page ; si cela revient, voici ce qu’il faut signaler :',
    reload: 'Recharger la page',
    newVersion: 'La console a été mise à jour entre-temps : rechargez la page.',
  },
};
