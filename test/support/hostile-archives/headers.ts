import { type Bundle, compress, gnuLong, type Member, pax, paxRecord, tarOf } from '../bundles.ts';
import { type HostileCase, hostile } from './hostile-case.ts';

const MIB = 1024 * 1024;
const SIZE_AT = 124;
const GNU = 'ustar  \0';
const field = (at: number, bytes: Uint8Array | string, name = 'a'): Member => ({
  name,
  content: 'x',
  patch: { at, bytes: Buffer.from(bytes) },
});
const extended = (content: string | Uint8Array): Member[] => [
  { name: 'PaxHeaders/a', type: 'x', content },
  { name: 'a' },
];
/** A tar, cut or continued. */
const raw = (tar: Uint8Array) => (): Bundle => compress(tar);
const whole = tarOf([{ name: 'a', content: 'x'.repeat(700) }, pax({ path: 'longer' }), { name: 'b' }]);
const cut = (at: number, where: string): HostileCase => ({
  name: `an archive cut ${where}`,
  rule: 'cut_short',
  bundle: raw(whole.subarray(0, at)),
});

/** The sum that Sun's tar made of bytes taken as signed; ours counts them unsigned, as POSIX says. */
function signedSum(): number {
  const name = Buffer.from('naïve');
  const header = tarOf([{ name }], new Uint8Array());
  const stored = Number.parseInt(header.toString('latin1', 148, 154), 8);
  return stored - 256 * name.filter((byte) => byte > 127).length;
}

/** A header of a member, as content of another. */
const inner = tarOf([{ name: '../evil', content: 'x' }], new Uint8Array());

/** Headers that lie, and archives that end where they should not. */
export const HEADERS: readonly HostileCase[] = [
  hostile('header_checksum', 'a checksum of one too many', [{ name: 'a', checksum: 1 }]),
  hostile('header_checksum', 'a checksum of signed bytes', [
    { name: Buffer.from('naïve'), checksum: signedSum() },
  ]),
  hostile('header_checksum', 'a block of noise', [
    { name: 'a', type: '5' },
    { name: Buffer.from('00'), magic: 'noise', checksum: 77 },
  ]),
  hostile('header_number', 'a size with a letter', [field(SIZE_AT, '0000000x001\0')]),
  hostile('header_number', 'a size with a sign', [field(SIZE_AT, '-0000000001\0')]),
  hostile('header_number', 'a size with digits that are not octal', [field(SIZE_AT, '00000000009\0')]),
  hostile('header_number', 'a size behind a NUL', [field(SIZE_AT, '\u00000000000001\0')]),
  hostile('header_number', 'a negative size in base 256', [field(SIZE_AT, Buffer.alloc(12, 0xff))]),
  hostile('header_number', 'a size beyond counting in base 256', [
    field(SIZE_AT, Buffer.from([0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  ]),
  hostile('header_number', 'a size in base 256 with other bits set', [
    field(SIZE_AT, Buffer.from([0xc0, ...Array<number>(10).fill(0), 1])),
  ]),
  hostile('header_number', 'a mode that is no number', [field(100, 'rwxr-xr-')]),
  hostile('unpacked_bytes', 'a size of twelve octal digits', [field(SIZE_AT, '777777777777')]),
  hostile('unpacked_bytes', 'a size of 2^53-1 in base 256', [
    field(SIZE_AT, Buffer.from([0x80, 0, 0, 0, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  ]),
  cut(100, 'in a header'),
  cut(512, 'before the content'),
  cut(900, 'in the content'),
  cut(512 + 700, 'before the padding'),
  cut(512 + 1023, 'in the padding'),
  cut(1536 + 512, 'behind the header of an extended header'),
  cut(1536 + 520, 'in an extended header'),
  cut(1536 + 1024, 'between an extended header and its member'),
  {
    name: 'an extended header that announces nothing',
    rule: 'cut_short',
    bundle: raw(tarOf([pax({ path: 'b' })])),
  },
  {
    name: 'a long name that announces nothing',
    rule: 'cut_short',
    bundle: raw(tarOf([{ name: 'a' }, gnuLong('b')])),
  },
  hostile('cut_short', 'a size of which nothing follows', [{ name: 'a', content: '', size: 5_000 }]),
  hostile('cut_short', 'a long name that claims more than there is', [
    { ...gnuLong('b'), size: 900_000 },
    { name: 'a' },
  ]),
  {
    name: 'a second archive behind the first',
    rule: 'after_the_end',
    bundle: raw(Buffer.concat([whole, tarOf([{ name: '../evil', content: 'x' }])])),
  },
  {
    name: 'a member behind a single block of zeros',
    rule: 'after_the_end',
    bundle: raw(Buffer.concat([tarOf([{ name: 'a' }], Buffer.alloc(512)), tarOf([{ name: 'b' }])])),
  },
  {
    name: 'one byte behind a megabyte of zeros',
    rule: 'after_the_end',
    bundle: raw(Buffer.concat([whole, Buffer.alloc(MIB), Buffer.from('x')])),
  },
  hostile('directory_content', 'a folder with content', [{ name: 'd/', type: '5', content: 'x' }]),
  hostile('directory_content', 'an old folder with content', [{ name: 'd/', type: '0', content: 'x' }]),
  hostile('directory_content', 'a folder that a pax header gives a size', [
    pax({ size: '512' }),
    { name: 'd/', type: '5' },
    { name: 'x', content: 'x' },
  ]),
  hostile('pax_record', 'a record without a length', extended('path=a\n')),
  hostile('pax_record', 'a record of length 0', extended('0 path=a\n')),
  hostile('pax_record', 'a record that claims less than it has', extended('6 path=abc\n')),
  hostile('pax_record', 'a record that claims more than there is', extended('99 path=abc\n')),
  hostile('pax_record', 'a record whose length has zeros before it', extended('0010 path=a\n')),
  hostile('pax_record', 'a record with a negative length', extended('-9 path=a\n')),
  hostile(
    'pax_record',
    'a record with a length of a hundred digits',
    extended(`${'9'.repeat(100)} path=a\n`),
  ),
  hostile('pax_record', 'a record that ends without a new line', extended('9 path=ab')),
  hostile('pax_record', 'a record without a key', extended('5 =a\n')),
  hostile('pax_record', 'a record without an equals sign', extended('7 path\n')),
  hostile(
    'pax_record',
    'padding of NULs in a record',
    extended(`${paxRecord('path', 'b').toString()}\0\0\0`),
  ),
  hostile(
    'pax_record',
    'a key twice',
    extended(Buffer.concat([paxRecord('path', 'a'), paxRecord('path', 'b')])),
  ),
  hostile('pax_record', 'a negative size', [pax({ size: '-1' }), { name: 'a', content: 'x' }]),
  hostile('pax_record', 'a size in hexadecimal', [pax({ size: '0x10' }), { name: 'a', content: 'x' }]),
  hostile('pax_record', 'a size with a fraction', [pax({ size: '1.5' }), { name: 'a', content: 'x' }]),
  hostile('pax_record', 'a size beyond counting', [pax({ size: '9'.repeat(17) }), { name: 'a' }]),
  hostile('unpacked_bytes', 'a size of petabytes', [pax({ size: '9'.repeat(15) }), { name: 'a' }]),
  hostile('pax_charset', 'names in another character set', [pax({ hdrcharset: 'BINARY' }), { name: 'a' }]),
  hostile('pax_global', 'a global header that names members', [pax({ path: '../x' }, 'g'), { name: 'a' }]),
  hostile('pax_global', 'a global header that sizes members', [
    pax({ size: '0' }, 'g'),
    { name: 'a', content: 'x' },
  ]),
  hostile('pax_global', 'a global header that links members', [
    pax({ linkpath: '/etc' }, 'g'),
    { name: 'a' },
  ]),
  hostile('extended_header_order', 'two extended headers for a member', [
    pax({ mtime: '1' }),
    pax({ path: 'b' }),
    { name: 'a' },
  ]),
  hostile('extended_header_order', 'a global header between a member and its own', [
    pax({ path: 'b' }),
    pax({ comment: 'c' }, 'g'),
    { name: 'a' },
  ]),
  hostile('extended_header_order', 'two long names for a member', [
    gnuLong('b'),
    gnuLong('c'),
    { name: 'a' },
  ]),
  hostile('extended_header_order', 'two long link targets for a member', [
    gnuLong('b', 'K'),
    gnuLong('c', 'K'),
    { name: 'a', magic: GNU },
  ]),
  hostile(
    'extended_header_order',
    'long names without end',
    Array.from({ length: 3_000 }, () => gnuLong('a')),
  ),
  hostile('extended_header_size', 'an empty extended header', [{ name: 'x', type: 'x' }, { name: 'a' }]),
  hostile('extended_header_size', 'a long name of nothing', [{ name: 'x', type: 'L' }, { name: 'a' }]),
  hostile('extended_header_size', 'an extended header of a megabyte and more', [
    pax({ comment: 'x'.repeat(1_100_000) }),
    { name: 'a' },
  ]),
  hostile('extended_header_size', 'a long name that claims 8 GB', [
    { ...gnuLong('b'), patch: { at: SIZE_AT, bytes: Buffer.from('77777777777\0') } },
  ]),
  hostile('two_names', 'a pax path and a long name', [pax({ path: 'b' }), gnuLong('c'), { name: 'a' }]),
  hostile('header_number', 'a long name that claims less than it has', [
    { ...gnuLong('n'.repeat(1_200)), size: 3 },
    { name: 'a' },
  ]),
  hostile('dot_segment', 'a member hidden in another by a pax size of 0', [
    pax({ size: '0' }),
    { name: 'a', content: inner },
  ]),
  hostile('dot_segment', '.. in the ustar prefix', [{ name: 'x', prefix: '../..' }]),
  hostile('absolute_path', 'an absolute ustar prefix', [{ name: 'x', prefix: '/etc' }]),
  hostile('empty_segment', 'an absolute name behind a ustar prefix', [{ name: '/etc/x', prefix: 'a' }]),
  hostile('dot_segment', '.. in a pax path, behind a good name', [
    pax({ path: 'a/../../x' }),
    { name: 'ok' },
  ]),
  hostile('dot_segment', '.. in a long name, behind a good name', [
    gnuLong('../../x'),
    { name: 'ok', magic: GNU },
  ]),
  hostile('control_character', 'NUL in a pax path', [pax({ path: 'ok\0/../x' }), { name: 'ok' }]),
  hostile('control_character', 'NUL in a long name', [gnuLong('ok\0/../../x'), { name: 'ok', magic: GNU }]),
];
