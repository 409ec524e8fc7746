import { counted } from '../counted.ts';
import type { en } from '../en/overview.ts';

const n = counted('fr');
const agents = (count: number) => n(count, { one: '# agent', other: '# agents' });

export const fr: typeof en = {
  title: 'Aperçu',
  verdict: {
    no_tenants: () => 'Il n’y a encore aucun client.',
    no_agents: () => 'Aucune machine n’est encore enrôlée.',
    all_ready: (_count, total) =>
      total === 1
        ? 'Le seul agent est prêt : rien à faire.'
        : `Les ${agents(total)} sont prêts : rien à faire.`,
    some_held: (count, total, held) =>
      `${n(count, { one: `# agent sur ${total} retient`, other: `# agents sur ${total} retiennent` })} ${held} après un retour en arrière à la main.`,
    rolling_out: (count, total) =>
      `${n(count, { one: '# agent est', other: '# agents sont' })} en route vers ce que dit la branche, sur ${total}.`,
    some_suspended: (count, total) =>
      `${n(count, { one: '# agent est suspendu', other: '# agents sont suspendus' })}, sur ${total}.`,
    some_waiting: (count, total) =>
      `${n(count, { one: '# agent n’a jamais donné de nouvelles depuis son enrôlement', other: '# agents n’ont jamais donné de nouvelles depuis leur enrôlement' })}, sur ${total}.`,
    some_unreachable: (count, total) =>
      `${n(count, { one: '# agent n’a', other: '# agents n’ont' })} pas donné de nouvelles depuis onze minutes, sur ${total}.`,
    some_unhealthy: (count, total) =>
      `${n(count, { one: '# agent a', other: '# agents ont' })} un flux défaillant, sur ${total}.`,
    some_stalled: (count, total) =>
      `${n(count, { one: '# agent est bloqué et attend', other: '# agents sont bloqués et attendent' })} quelqu’un, sur ${total}.`,
  },
  advice: {
    no_tenants: () => 'Ajoutez-en un dans le terminal de la console, comme ci-dessous.',
    no_agents: () => 'Créez un jeton d’enrôlement et collez sa ligne sur la machine.',
    all_ready: () => '',
    some_held: (count) =>
      count === 1
        ? 'Tout le reste est comme le dit la branche. Reprenez-le quand il peut de nouveau la suivre.'
        : 'Tout le reste est comme le dit la branche. Reprenez-les quand ils peuvent de nouveau la suivre.',
    rolling_out: (count) => (count === 1 ? 'Il continue de lui-même.' : 'Ils continuent d’eux-mêmes.'),
    some_suspended: (count) =>
      count === 1
        ? 'Reprenez-le quand il peut de nouveau changer.'
        : 'Reprenez-les quand ils peuvent de nouveau changer.',
    some_waiting: (count) => `Démarrez l’agent sur ${count === 1 ? 'la machine' : 'les machines'}.`,
    some_unreachable: (count) =>
      count === 1
        ? 'La machine est-elle allumée, et peut-elle joindre cette console ?'
        : 'Les machines sont-elles allumées, et peuvent-elles joindre cette console ?',
    some_unhealthy: () => 'Corrigez le flux, ou revenez à la version précédente.',
    some_stalled: (count) =>
      `Réessayer ne suffira pas : ouvrez-${count === 1 ? 'le' : 'en un'} pour voir ce qu’il lui faut.`,
  },
  mostSay: (count, of) => {
    if (of === 1) return 'Il dit';
    if (count >= of) return 'Ils disent';
    return n(count, { one: 'L’un d’entre eux dit', other: '# d’entre eux disent' });
  },
  show: (count) => (count === 1 ? 'L’afficher' : 'Les afficher'),
  states: 'Agents par état',
  facts: 'En ce moment',
  connected: (connected, total) => `${connected} sur ${total}`,
  connectedWord: (count) => n(count, { one: 'connecté', other: 'connectés' }),
  heldWord: (count) => (count <= 1 ? 'retient un flux' : 'retiennent un flux'),
  running: 'en cours',
  queued: 'en file',
  succeeded: (count) => n(count, { one: 'réussie en une heure', other: 'réussies en une heure' }),
  failed: (count) => n(count, { one: 'échouée en une heure', other: 'échouées en une heure' }),
  worst: 'Le pire d’abord',
  allOfThem: 'Tous les agents',
  noneBad: 'Tout va bien',
  noneBadMore: 'Les agents bloqués, défaillants ou silencieux apparaissent ici, le pire d’abord.',
  rollouts: 'En route',
  noRollouts: 'Aucune publication n’est en route',
  noRolloutsMore: 'Un push sur la branche d’un client apparaît ici dans la seconde, avec son avancement.',
  shares: {
    applied: 'à jour',
    held: 'retenue',
    reconciling: 'en route',
    failing: 'en échec',
    pending: 'en attente',
  },
  rolloutLabel: (applied, total, held) =>
    `${applied} sur ${agents(total)} ${applied <= 1 ? 'l’a' : 'l’ont'} appliquée${held === 0 ? '' : `, ${held} la ${held === 1 ? 'retient' : 'retiennent'}`}`,
  by: (author) => `par ${author}`,
  changes: 'Ce qui a changé depuis une heure',
  noChanges: 'Rien n’a changé depuis une heure',
  noChangesMore:
    'Les changements d’état, de révision et de version sont listés ici, les semblables sur une ligne.',
  fewer: 'En afficher moins',
  showMore: (count) => `En afficher ${count} de plus`,
  who: (names, count, shown) => (count > shown ? `${names} et ${agents(count - shown)} de plus` : names),
  between: '\u00a0: ',
  change: {
    state: 'de $from à $to',
    stateFirst: 'maintenant $to',
    revision: 'révision $to appliquée',
    version: '$flow $to activée',
    versionGone: '$flow $from retirée',
    held: 'retour de $flow à $to',
    heldFirst: '$flow retenu à $to',
    released: '$flow suit de nouveau la branche',
    suspended: 'suspension',
    resumed: 'reprise',
    enrolled: 'enrôlement',
    revoked: 'révocation',
    connected: 'tunnel ouvert',
    disconnected: 'tunnel perdu',
  },
  start: {
    title: 'Trois étapes jusqu’à la première machine',
    tenant: 'Ajouter un client avec sa racine de confiance',
    publish: 'Pousser sa première publication signée',
    enrol: 'Enrôler une machine',
    enrolAction: 'Créer un jeton d’enrôlement',
    tenantMore:
      'Dans le terminal de la console. La commande affiche l’adresse git et le jeton de publication.',
    publishMore: 'Sur la branche tenant/<slug>, avec le jeton de publication comme mot de passe.',
    enrolMore: 'La page affiche la ligne à coller, et la machine apparaît ici d’elle-même.',
  },
};
