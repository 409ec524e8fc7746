const LOGIN = /^[a-z0-9][a-z0-9._%+@-]{0,127}$/;

/** Whether the console would take it as a login; large letters are the same as small ones. */
export function isLogin(typed: string): boolean {
  return LOGIN.test(typed.trim().toLowerCase());
}
