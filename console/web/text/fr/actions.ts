import type { ActionName } from '../../../../schemas/console/action.ts';
import { counted } from '../counted.ts';
import type { en } from '../en/actions.ts';

const n = counted('fr');
const agents = (count: number) => n(count, { one: '# agent', other: '# agents' });

export const fr: typeof en = {
  verb: {
    reconcile: 'Réconcilier',
    run: 'Exécuter',
    cancel: 'Annuler l’exécution',
    suspend: 'Suspendre',
    resume: 'Reprendre',
    rollback: 'Revenir en arrière',
    revoke: 'Révoquer',
  },
  title: {
    reconcile: (who) => `Faire regarder la branche maintenant (${who}) ?`,
    run: (who, flow = 'un flux') => `Exécuter ${flow} (${who}) ?`,
    cancel: (who) => `Annuler cette exécution sur ${who} ?`,
    suspend: (who) => `Suspendre ${who} ?`,
    resume: (who) => `Reprendre ${who} ?`,
    rollback: (who, flow) =>
      `Revenir à la version précédente${flow === undefined ? '' : ` de ${flow}`} (${who}) ?`,
    revoke: (who) => `Révoquer ${who} définitivement ?`,
  },
  will: {
    reconcile: (count) =>
      n(count, {
        one: '# agent regardera la branche et appliquera ce qu’elle dit.',
        other: '# agents regarderont la branche et appliqueront ce qu’elle dit.',
      }),
    run: (count) =>
      n(count, {
        one: '# exécution est demandée. Elle attend son tour là où d’autres sont en cours.',
        other:
          '# exécutions sont demandées, une par agent. Elles attendent leur tour là où d’autres sont en cours.',
      }),
    cancel: () =>
      'L’exécution est interrompue, reçoit son délai de grâce, puis prend fin avec tous ses processus. Elle est rapportée comme annulée.',
    suspend: (count) =>
      `${n(count, { one: '# agent n’activera', other: '# agents n’activeront' })} plus rien de nouveau. Les flux s’exécutent toujours, à l’heure prévue et sur demande.`,
    resume: (count) =>
      n(count, {
        one: '# agent suivra de nouveau la branche et lâchera les versions retenues à la main.',
        other: '# agents suivront de nouveau la branche et lâcheront les versions retenues à la main.',
      }),
    rollback: (count) =>
      n(count, {
        one: '# agent reviendra à la version précédente et y restera jusqu’à ce que la branche en ait une plus récente ou que quelqu’un reprenne.',
        other:
          '# agents reviendront à la version précédente et y resteront jusqu’à ce que la branche en ait une plus récente ou que quelqu’un reprenne.',
      }),
    revoke: (count) =>
      `Les clés de ${agents(count)} sont refusées dès maintenant, le tunnel se ferme et ce qui attend est abandonné. Ce qui tourne sur la machine reste tel quel. C’est définitif : il faudra enrôler de nouveau la machine.`,
  },
  withInputs: 'Avec les entrées',
  withoutInputs: 'Sans entrées.',
  offline: (count) =>
    `${n(count, { one: '# d’entre eux n’est pas connecté : il le recevra quand il le sera', other: '# d’entre eux ne sont pas connectés : ils le recevront quand ils le seront' })}.`,
  refusedTitle: (count) => `Pas pour ${agents(count)}`,
  andMore: (count) => `et ${agents(count)} de plus`,
  refusals: {
    no_trigger_key:
      'La console n’a pas de clé de déclenchement de ce client : un administrateur la lui donne dans les réglages.',
    trigger_key_unreadable:
      'La clé de déclenchement de ce client ne s’ouvre pas ici : redonnez-la à la console.',
    key_not_allowed: 'Aucun agent n’accepterait de commande signée par la clé qu’a la console.',
    agent_revoked: 'Il est révoqué.',
    not_connected: 'Il n’est pas connecté ; il regarde de lui-même, à son propre rythme.',
    flow_unknown: 'Il n’a rien dit de ce flux.',
    no_active_version: 'Aucune version du flux n’y est active.',
    version_not_active: 'Une autre version du flux y est active.',
    no_previous_version: 'Il n’y a pas de version avant l’active.',
    previous_quarantined: 'La version précédente est celle qui a échoué : l’agent n’y revient pas.',
    run_unknown: 'Il n’a pas cette exécution.',
    run_ended: 'L’exécution est déjà terminée.',
    too_many_commands: 'Trop de commandes l’attendent déjà.',
    command_invalid: 'Aucune commande ne peut contenir cela.',
    command_too_large: 'Les entrées dépassent ce qu’une commande peut contenir.',
  },
  colon: ' :',
  allRefused: 'Aucun ne l’accepterait',
  typeIt: 'Tapez-le pour confirmer',
  confirmBy: (what) => `Pour confirmer, tapez ${what}`,
  off: {
    looking: 'Recherche de ce que cela ferait…',
    fault: 'On ne sait pas ce que cela ferait',
    flow_missing: 'Choisissez un flux',
    inputs_malformed: 'Les entrées doivent être un objet JSON',
  },
  fields: {
    flow: 'Flux',
    chooseFlow: 'Choisissez un flux',
    inputs: 'Entrées',
    inputsNote:
      'Un objet JSON, par exemple {"month": "2026-11"}. Vide : {}. Pas de secrets : leur place est sur la machine.',
    flow_missing: 'Choisissez un flux pour voir ce qui se passera.',
    inputs_malformed: 'Les entrées doivent être un objet JSON, par exemple {"month": "2026-11"}.',
    afterInputs: 'Corrigez les entrées pour voir ce qui se passera.',
    until: 'Pour combien de temps',
    untilResumed: 'Jusqu’à ce que quelqu’un reprenne',
    hours: { '1': '1 heure', '4': '4 heures', '24': '1 jour', '168': '7 jours' },
  },
  see: { run: 'Ouvrir l’exécution', runs: 'Ouvrir les exécutions', commands: 'Voir la suite donnée' },
  done: (action, count, refused) => {
    const said: Record<ActionName, string> = {
      reconcile: n(count, { one: '# agent regardera la branche', other: '# agents regarderont la branche' }),
      run: n(count, { one: '# exécution demandée', other: '# exécutions demandées' }),
      cancel: 'L’exécution est en cours d’annulation',
      suspend: `Suspension demandée à ${agents(count)}`,
      resume: `Reprise demandée à ${agents(count)}`,
      rollback: `Retour en arrière demandé à ${agents(count)}`,
      revoke: n(count, { one: '# agent révoqué', other: '# agents révoqués' }),
    };
    const refusals =
      action === 'run' ? { one: '# refusée', other: '# refusées' } : { one: '# refusé', other: '# refusés' };
    return refused === 0 ? said[action] : `${said[action]}, ${n(refused, refusals)}`;
  },
};
