import { counted } from '../counted.ts';

const n = counted('en');

export const en = {
  signIn: {
    title: 'Sign in',
    login: 'Login',
    password: 'Password',
    action: 'Sign in',
    working: 'Signing in…',
    wrong: 'The login or the password is not right.',
    slow: (seconds: number) =>
      `Too many attempts. Try again in ${n(seconds, { one: '# second', other: '# seconds' })}.`,
    lost: 'Forgotten? An admin can send you a new invitation, in Settings.',
    ended: 'Your session has ended. Sign in to go on where you were.',
  },
  setup: {
    title: 'Set up this console',
    lead: 'You make the first person: an admin of everything. Others you invite afterwards.',
    name: 'Your name',
    action: 'Make the first admin',
    noCode: 'This page needs the code that the console printed when it started',
    noCodeMore:
      'Open the whole link from its output. Or make a person in the shell of the machine the console runs on:',
    done: 'This console has been set up already.',
    toSignIn: 'To sign-in',
  },
  invite: {
    title: 'Welcome',
    lead: 'Choose a password, and you are in.',
    name: 'Your name (as others see it)',
    action: 'Choose this password',
    noCode: 'This invitation is not whole',
    noCodeMore: 'Open the link exactly as it was sent to you, or ask an admin for a new one.',
  },
  password: 'Password',
  newPassword: 'New password',
  passwordRule: 'At least 12 characters. Several words are better than one with signs in it.',
  passwordShort: (missing: number) => n(missing, { one: '# character more', other: '# characters more' }),
  passwordIsLogin: 'Choose something else than the login.',
  loginRule: 'A name or an e-mail address; upper and lower case are the same.',
  loginWrong: 'At most 128 of a–z, 0–9 and . _ % + @ -',
  show: 'Show password',
  hide: 'Hide password',
};
