import type { en } from '../en/audit.ts';

export const fr: typeof en = {
  title: 'Audit',
  lead: 'Qui a fait quoi, à qui et pourquoi. Rien ici ne peut être modifié. Les phrases sont en anglais.',
  search: 'Mots, identifiant, hôte, action',
  column: { at: 'Quand', by: 'Qui', action: 'Quoi', whom: 'À qui', message: 'En mots', reason: 'Pourquoi' },
  filter: { agent: 'Agent', action: 'Quoi', by: 'Qui', since: 'Depuis', until: 'Jusqu’à' },
  operatorsOnly: 'L’audit est pour les opérateurs',
  operatorsOnlyMore:
    'Il nomme des personnes, des clés et des adresses. Demandez le rôle à un administrateur du client.',
  none: 'Rien n’a encore été fait',
  noneMore: 'Connexions, jetons, actions sur les agents, clés et personnes sont notés ici.',
};
