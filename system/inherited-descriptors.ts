import { closeSync, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;

/**
 * Closes what whoever started this process left open beyond the three standard descriptors, so that programs it starts do not get
 * them: Node itself opens everything to be closed on exec, and gives all else on. Linux; elsewhere nothing happens.
 */
export function closeInheritedDescriptors(): void {
  if (process.platform !== 'linux') return;
  const channel = Number(process.env['NODE_CHANNEL_FD'] ?? -1);
  for (const name of readdirSync('/proc/self/fdinfo')) {
    const descriptor = Number(name);
    if (descriptor < 3 || descriptor === channel) continue;
    try {
      const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1] ?? '';
      if ((Number.parseInt(flags, 8) & O_CLOEXEC) === 0) closeSync(descriptor);
    } catch {
      // The one this list was read by, which is closed already.
    }
  }
}
