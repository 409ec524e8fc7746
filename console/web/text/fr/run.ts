import { counted } from '../counted.ts';
import type { en } from '../en/run.ts';

const n = counted('fr');

export const fr: typeof en = {
  title: (flow, host) => `${flow} sur ${host}`,
  cancel: 'Annuler l’exécution',
  again: 'Relancer',
  ended: 'L’exécution est terminée.',
  timeline: 'Du déclencheur au résultat',
  step: {
    asked: 'Demandée',
    sent: 'Envoyée à l’agent',
    acknowledged: 'Prise par l’agent',
    refused: 'Refusée par l’agent',
    expired: 'Prise par personne à temps',
    started: 'Démarrée',
    retried: 'Nouvelle tentative',
    cancel_asked: 'Annulation demandée',
    ended: 'Terminée',
    reported: 'Rapportée ici',
  },
  by: (who) => `par ${who}`,
  attempt: (attempt) => `Tentative ${attempt}`,
  after: (duration) => `après ${duration}`,
  goesOn: {
    asked: 'Attend que l’agent la prenne',
    queued: 'Attend son tour sur la machine',
    running: 'En cours',
  },
  noSteps: 'On ne sait encore rien de son déroulement.',
  why: 'Pourquoi elle s’est terminée ainsi',
  whyNot: 'Pourquoi elle n’a pas commencé',
  facts: 'Ce qui a tourné',
  fact: {
    flow: 'Flux',
    version: 'Version',
    digest: 'Empreinte',
    commit: 'Commit',
    agent: 'Agent',
    trigger: 'Déclencheur',
    attempt: 'Tentative',
    exit: 'Code de sortie',
    took: 'Durée',
    id: 'Exécution',
    command: 'Commande',
  },
  inputs: {
    title: 'Ce qu’elle a reçu',
    what: 'ce qu’elle a reçu',
    download: 'Télécharger',
    large: (size) => `${size}, trop pour être affiché ici : téléchargez-le.`,
    not: {
      none: 'Elle n’a reçu aucune entrée.',
      withheld:
        'Elle a reçu des entrées. Les opérateurs peuvent les lire : elles peuvent concerner des personnes.',
      elsewhere: 'Elle n’a pas été demandée à cette console : ce qu’elle a reçu reste sur la machine.',
      forgotten: 'Elle a reçu ses entrées de cette console, qui ne les garde plus.',
    },
    again: {
      given: 'Les entrées sont celles de l’exécution précédente ; modifiez ce que vous voulez.',
      elsewhere: 'Les entrées de l’exécution précédente restent sur la machine : donnez-les ici.',
      forgotten: 'Les entrées de l’exécution précédente ne sont plus gardées : donnez-les ici.',
    },
  },
  commitBy: (author) => `${author},`,
  log: {
    title: 'Ce qu’elle a affiché',
    streams: 'Flux de sortie de l’exécution',
    attempt: 'Tentative',
    search: 'Chercher dans ce journal',
    hits: (place, count) =>
      place === 0
        ? n(count, { one: '# ligne', other: '# lignes' })
        : `${n(place, { one: '#', other: '#' })} sur ${n(count, { one: '# ligne', other: '# lignes' })}`,
    noHits: 'Introuvable',
    previous: 'Ligne précédente qui le contient',
    next: 'Ligne suivante qui le contient',
    wrap: 'Couper les lignes',
    follow: 'Suivre',
    following: 'Suit la fin',
    copy: 'ce qui est montré du journal',
    download: 'Tout télécharger',
    lines: (count) => n(count, { one: '# ligne', other: '# lignes' }),
    state: {
      connecting: 'connexion',
      live: 'en direct',
      reconnecting: 'reconnexion',
      ended: 'complet',
    },
    nothing: 'Rien d’affiché ici pour l’instant',
    nothingMore: 'Les lignes apparaissent dès que la machine les envoie.',
    never: 'Rien n’a été affiché ici',
    neverMore: 'Rien n’est venu de cette sortie.',
    neverBegan: 'Elle n’a jamais commencé, donc rien affiché.',
    skipped: (size) =>
      `Les premiers ${size} ne sont pas montrés ; les lignes n’ont donc pas de numéro. Téléchargez le tout pour les voir.`,
    gone: (count) =>
      `${n(count, { one: 'La première ligne n’est plus gardée', other: 'Les # premières lignes ne sont plus gardées' })} par cette page. Téléchargez le tout pour ${count === 1 ? 'la' : 'les'} voir.`,
    truncated: (size, stream) =>
      `${size} de ${stream} ont été écartés sur la machine : il en a été affiché plus qu’on n’en garde.`,
    tail: 'Il n’y a pas de journal en direct de cette exécution. Voici la fin de ce qu’elle a affiché, selon son rapport.',
    cut: (count) => n(count, { one: '… encore # caractère', other: '… encore # caractères' }),
  },
  files: {
    title: 'Ce qu’elle a laissé',
    none: 'Elle n’a laissé aucun fichier.',
    later: 'Les fichiers qu’elle laisse sont listés quand elle est terminée.',
    digest: 'SHA-256',
    download: 'Télécharger',
    downloadOf: (name) => `Télécharger ${name}`,
    show: 'Montrer',
    showOf: (name) => `Montrer ${name}`,
    notSent: 'Pas envoyé par la machine',
    coming: (received, size) => `${received} sur ${size} reçus`,
  },
};
