/** `Content-Disposition` of RFC 6266 for a file to keep: a plain name for old programs, the true one in RFC 8187's form. */
export function attachment(name: string): string {
  const base = name.split(/[\\/]/).at(-1) || 'file';
  const plain = base.replaceAll(/[^A-Za-z0-9._ -]/g, '_').slice(0, 200);
  const exact = encodeURIComponent(base.toWellFormed()).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
