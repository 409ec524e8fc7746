import { UPLOADS_PATH } from '../schemas/upload.ts';

/**
 * Whether a URL the console names is one the agent may send a file and its token to: the origin of `saas_url`, the collection
 * or one upload below it, nothing else.
 */
export function isUploadPlace(url: URL, saasUrl: string): boolean {
  const base = new URL(saasUrl.replace(/\/+$/, '') + UPLOADS_PATH);
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!plain || url.origin !== base.origin) return false;
  if (url.pathname === base.pathname) return true;
  const rest = url.pathname.startsWith(`${base.pathname}/`)
    ? url.pathname.slice(base.pathname.length + 1)
    : '';
  return /^[A-Za-z0-9_-]{1,128}$/.test(rest);
}
