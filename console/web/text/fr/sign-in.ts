import { counted } from '../counted.ts';
import type { en } from '../en/sign-in.ts';

const n = counted('fr');

export const fr: typeof en = {
  signIn: {
    title: 'Connexion',
    login: 'Identifiant',
    password: 'Mot de passe',
    action: 'Se connecter',
    working: 'Connexion…',
    wrong: 'L’identifiant ou le mot de passe n’est pas le bon.',
    slow: (seconds) =>
      `Trop d’essais. Réessayez dans ${n(seconds, { one: '# seconde', other: '# secondes' })}.`,
    lost: 'Oublié ? Un administrateur peut vous envoyer une nouvelle invitation, dans les Réglages.',
    ended: 'Votre session est terminée. Connectez-vous pour reprendre où vous étiez.',
  },
  setup: {
    title: 'Mettre en place cette console',
    lead: 'Vous créez la première personne : administratrice de tout. Les autres, vous les inviterez ensuite.',
    name: 'Votre nom',
    action: 'Créer le premier administrateur',
    noCode: 'Cette page a besoin du code que la console a affiché à son démarrage',
    noCodeMore:
      'Ouvrez le lien entier de son affichage. Ou créez une personne dans le terminal de la machine où tourne la console :',
    done: 'Cette console est déjà en place.',
    toSignIn: 'Vers la connexion',
  },
  invite: {
    title: 'Bienvenue',
    lead: 'Choisissez un mot de passe, et vous y êtes.',
    name: 'Votre nom (tel que les autres le voient)',
    action: 'Choisir ce mot de passe',
    noCode: 'Cette invitation n’est pas entière',
    noCodeMore: 'Ouvrez le lien tel qu’il vous a été envoyé, ou demandez-en un nouveau à un administrateur.',
  },
  password: 'Mot de passe',
  newPassword: 'Nouveau mot de passe',
  passwordRule: 'Au moins 12 caractères. Plusieurs mots valent mieux qu’un seul avec des signes.',
  passwordShort: (missing) => n(missing, { one: 'encore # caractère', other: 'encore # caractères' }),
  passwordIsLogin: 'Choisissez autre chose que l’identifiant.',
  loginRule: 'Un nom ou une adresse électronique ; majuscules et minuscules sont équivalentes.',
  loginWrong: 'Au plus 128 de a–z, 0–9 et . _ % + @ -',
  show: 'Afficher le mot de passe',
  hide: 'Masquer le mot de passe',
};
