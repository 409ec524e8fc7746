import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** From package.json: beside the sources in a checkout, one level up from `dist` when published. */
export const AGENT_VERSION: string = readVersion();

function readVersion(): string {
  for (const above of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(above, import.meta.url), 'utf8');
      const parsed = z
        .looseObject({ name: z.literal('edge-agent'), version: z.string() })
        .safeParse(JSON.parse(text));
      if (parsed.success) return parsed.data.version;
    } catch {
      // not this level
    }
  }
  return '0.0.0';
}

/** Of this machine, in the manifest's words; null when no bundle but `any` can be meant for it. */
export function cpuArch(arch: string = process.arch): 'x86_64' | 'arm64' | null {
  if (arch === 'x64') return 'x86_64';
  return arch === 'arm64' ? 'arm64' : null;
}

/** `linux`, `macos` or `windows`, else Node's own word. */
export function osName(platform: string = process.platform): string {
  if (platform === 'darwin') return 'macos';
  return platform === 'win32' ? 'windows' : platform;
}
