/** What the first bytes of a file say that it is. */
export type ProgramFormat =
  | { readonly kind: 'elf'; readonly arch: string | null }
  | { readonly kind: 'windows' | 'macos' }
  /** `interpreter`: what stands after `#!`, up to its first space. */
  | { readonly kind: 'script'; readonly interpreter: string; readonly carriageReturn: boolean }
  | { readonly kind: 'other' };

/** `e_machine` of the ELF header (elf.h), as Node names architectures. */
const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: 'ia32',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
};
const MACH_O = ['feedface', 'feedfacf', 'cefaedfe', 'cffaedfe', 'cafebabe'];

/** Tells by the first 256 bytes. A text without `#!` is `other`: the shell may still run it. */
export function programFormat(head: Uint8Array): ProgramFormat {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, 256));
  if (bytes.length >= 20 && bytes.toString('latin1', 0, 4) === '\x7fELF') {
    const machine = bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18);
    return { kind: 'elf', arch: ELF_MACHINES[machine] ?? null };
  }
  if (bytes.toString('latin1', 0, 2) === 'MZ') return { kind: 'windows' };
  if (bytes.length >= 8 && MACH_O.includes(bytes.toString('hex', 0, 4))) return { kind: 'macos' };
  if (bytes.toString('latin1', 0, 2) !== '#!') return { kind: 'other' };
  const line = bytes.toString('utf8', 2).split('\n', 1)[0] as string;
  const carriageReturn = line.endsWith('\r');
  return { kind: 'script', interpreter: line.trim().split(/\s/, 1)[0] as string, carriageReturn };
}

/** Why a file of this format cannot be executed here, as "expected …, found …", or null. */
export function cannotRun(format: ProgramFormat, platform: NodeJS.Platform, arch: string): string | null {
  const own = platform === 'win32' ? 'windows' : platform === 'darwin' ? 'macos' : 'elf';
  const names = { elf: 'Linux', windows: 'Windows', macos: 'macOS' };
  switch (format.kind) {
    case 'other':
      return null;
    case 'script':
      if (!format.carriageReturn) return null;
      return `expected Unix line ends, found a carriage return after "#!${format.interpreter}": save it with LF`;
    default:
      if (format.kind !== own)
        return `expected a program for ${names[own]}, found one for ${names[format.kind]}`;
      if (format.kind !== 'elf' || format.arch === arch) return null;
      // 32-bit programs run on 64-bit systems that have their libraries
      if (format.arch === 'ia32' && arch === 'x64') return null;
      if (format.arch === 'arm' && arch === 'arm64') return null;
      return `expected a program for ${arch}, found one for ${format.arch ?? 'an unknown processor'}`;
  }
}
