import type { en } from '../en/agents.ts';

export const fr: typeof en = {
  title: 'Agents',
  lead: 'Un agent, c’est une machine d’un client.',
  states: 'Filtrer par état',
  search: 'Hôte, id, étiquette, version, révision, raison',
  column: {
    state: 'État',
    hostname: 'Hôte',
    tunnel: 'Tunnel',
    sync: 'Révision',
    health: 'Santé',
    problem: 'Ce qui ne va pas',
    seen: 'Nouvelles',
  },
  connected: 'Connecté',
  disconnected: 'Fermé',
  anyTunnel: 'Tunnel : tous',
  anyHealth: 'Santé : toutes',
  held: 'Branche',
  anyHeld: 'Branche : toutes',
  heldYes: 'Retient un flux',
  heldNo: 'Suit sa branche',
  filter: {
    flow: 'Flux',
    version: 'Version',
    revision: 'Révision',
    label: 'Étiquette',
    os: 'Système',
    agent_version: 'Version de l’agent',
  },
  needs: {
    operator: 'Il faut le rôle opérateur sur ce client',
    admin: 'Il faut le rôle administrateur sur ce client',
  },
  none: 'Aucune machine n’est encore enrôlée',
  noneMore:
    'Créez un jeton d’enrôlement et collez sa ligne sur la machine : elle apparaît ici dans la seconde.',
  enrol: 'Enrôler une machine',
};
