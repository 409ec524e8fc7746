import type { ArchiveRule } from '../../../store/archive/archive-rules.ts';
import { type Member, pax } from '../bundles.ts';
import { type HostileCase, hostile } from './hostile-case.ts';

/** In a pax header, which takes any length and any letter. */
const named = (name: string): Member[] => [pax({ path: name }), { name: 'short' }];
const refuse = (rule: ArchiveRule, ...names: string[]): HostileCase[] =>
  names.map((name) => hostile(rule, `the name ${JSON.stringify(shown(name))}`, named(name)));
const shown = (name: string) => (name.length > 60 ? `${name.slice(0, 60)}… (${name.length})` : name);
const both = (rule: ArchiveRule, one: string, other: string): HostileCase =>
  hostile(rule, `${JSON.stringify(one)} beside ${JSON.stringify(other)}`, [...named(one), ...named(other)]);

const DEVICES = 'CON PRN AUX NUL COM0 COM1 COM9 LPT1 LPT9 COM¹ COM² LPT³ CONIN$ CONOUT$'.split(' ');

/** Names that mean something else somewhere, and names that mean the same. */
export const NAMES: readonly HostileCase[] = [
  ...refuse('absolute_path', '/etc/passwd', '//etc/passwd', './/etc/passwd', '/../etc'),
  ...refuse('dot_segment', '..', '../', '../x', 'a/..', 'a/../x', 'a/../../x', './../x', '..//x'),
  ...refuse('dot_segment', '././x', 'a/.', 'a/./x', `${'../'.repeat(40)}tmp/evil`),
  ...refuse('empty_segment', 'a//x', 'a//', 'a/b//c'),
  hostile('name_missing', 'a member without a name', [{ name: '' }]),
  ...refuse('name_missing', '/', './.'),
  ...refuse('backslash', '..\\x', 'a\\..\\..\\x', '\\etc\\x', '\\\\server\\share\\x', '\\\\?\\C:\\x', 'a\\b'),
  ...refuse('colon', 'C:x', 'C:/x', 'c:', 'a.txt:stream', 'a::$DATA', 'd/x:y', ':'),
  ...refuse(
    'control_character',
    'a\nb',
    'a\rb',
    'a\tb',
    'a\u0007',
    '\u001b[2Jb',
    'a\u007fb',
    'a\u009bb',
    'a\0b',
  ),
  ...refuse('control_character', 'a\u2028b', 'a\u2029b', 'a\u0085b'),
  ...refuse('windows_character', 'a<b', 'a>b', 'a"b', 'a|b', 'what?', '*.py'),
  ...refuse(
    'trailing_dot_or_space',
    'a.',
    'a ',
    'a../x',
    'a /x',
    '...',
    '.../../x',
    '. .',
    'a. ',
    '.. ',
    '.. /x',
  ),
  ...DEVICES.flatMap((name) =>
    refuse('device_name', name, name.toLowerCase(), `lib/${name}.txt`, `${name}.a.b`, `${name}/x`),
  ),
  ...refuse('device_name', 'aux .txt', 'ＮＵＬ', 'nul\u00a0.txt', 'ＣＯＮ.py'),
  ...refuse('short_name', 'PROGRA~1', 'longfi~2.txt', 'COMPLE~1', 'a/GIT~1/config', 'a~1'),
  ...refuse('reserved_name', '.complete', './.complete', '.Complete', '.com\u200dplete', '．complete'),
  hostile('reserved_name', 'a folder with the name of the mark', [{ name: '.complete/', type: '5' }]),
  hostile('reserved_name', 'a file below the name of the mark', named('.complete/x')),
  ...refuse('name_length', 'x'.repeat(256), 'é'.repeat(128), `a/${'y'.repeat(300)}/b`),
  ...refuse('path_length', `${'abcdefgh/'.repeat(60)}${'y'.repeat(250)}/${'x'.repeat(250)}`),
  ...refuse('depth', `${'a/'.repeat(64)}b`, `${'a/'.repeat(500)}b`),
  hostile('name_encoding', 'a name in Latin-1', [{ name: Buffer.from([0x61, 0xe9]) }]),
  hostile('name_encoding', 'an overlong ..', [{ name: Buffer.from([0xc0, 0xae, 0xc0, 0xae, 0x2f, 0x78]) }]),
  hostile('name_encoding', 'a lone surrogate', [{ name: Buffer.from([0xed, 0xa0, 0x80]) }]),
  hostile('name_encoding', 'a pax path in Latin-1', [pax({ path: Buffer.from([0xe9]) }), { name: 'a' }]),
  hostile('name_encoding', 'a ustar prefix in Latin-1', [
    { name: 'a', prefix: '\u00e9\u00e8', patch: { at: 345, bytes: Buffer.from([0xe9]) } },
  ]),
  both('duplicate', 'a', 'a'),
  both('duplicate', 'a', './a'),
  both('duplicate', 'd/', 'd/'),
  both('duplicate', './', './'),
  hostile('duplicate', 'a file of the name of the root', [
    pax({ path: './' }),
    { name: 'x', type: '5' },
    ...named('.'),
  ]),
  both('file_as_folder', 'a', 'a/b'),
  both('file_as_folder', 'a', 'a/'),
  both('file_as_folder', 'a/b', 'a'),
  both('file_as_folder', 'd/', 'd'),
  both('collision', 'Main.py', 'main.py'),
  both('collision', 'Lib/a', 'lib/b'),
  both('collision', 'LIB', 'lib/b'),
  both('collision', 'lib/b', 'LIB/'),
  both('collision', 'caf\u00e9', 'cafe\u0301'),
  both('collision', 'caf\u00e9/a', 'cafe\u0301/b'),
  both('collision', '\ufb01le', 'file'),
  both('collision', 'stra\u00dfe', 'STRASSE'),
  both('collision', 'mi\u017fs', 'miss'),
  both('collision', '\u212a', 'k'),
  both('collision', '\u00c5ngstr\u00f6m', '\u212bngstr\u00f6m'),
  both('collision', '\u03c3', '\u03c2'),
  both('collision', '.g\u200cit', '.git'),
  both('collision', '.gi\u200dt/config', '.git/config'),
  both('collision', 'a\u202eb', 'ab'),
  both('collision', '\ufeffa', 'a'),
  both('collision', 'a\u00adb', 'ab'),
  both('collision', '\uff41', 'a'),
  both('collision', 'x'.repeat(200), `X${'x'.repeat(199)}`),
];
