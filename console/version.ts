import { existsSync, readFileSync } from 'node:fs';

/** From package.json: beside the sources in a checkout, one level up from `dist` when published. */
export function consoleVersion(): string {
  for (const above of ['../package.json', '../../package.json']) {
    const file = new URL(above, import.meta.url);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return '0.0.0';
}
