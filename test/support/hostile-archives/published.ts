import { gnuLong, type Member, pax, tarOf } from '../bundles.ts';
import { type HostileCase, hostile } from './hostile-case.ts';

const JWILK = 'jwilk/traversal-archives, tar/Makefile';
const SNYK = 'snyk/zip-slip-vulnerability, archives/';
const EVILARC = 'ptoomey3/evilarc, evilarc.py';
const PEP_706 = 'PEP 706; CPython, Lib/test/test_tarfile.py, TestExtractionFilters';

const moo = (name: string): Member => ({ name, content: 'moo\n' });
const symlink = (name: string, link: string): Member => ({ name, type: '2', link });
const hardLink = (name: string, link: string): Member => ({ name, type: '1', link });
const from = (source: string, rule: HostileCase['rule'], name: string, ...members: Member[]): HostileCase =>
  hostile(rule, name, members, { source });

/** Names that APFS takes for one another: the pairs of GHSA-r6q2-hw4h-h46w. */
const APFS: readonly [string, string][] = [
  ['ﬀ', 'FF'],
  ['ﬁ', 'FI'],
  ['ﬂ', 'FL'],
  ['ﬃ', 'FFI'],
  ['ﬄ', 'FFL'],
  ['ﬅ', 'ST'],
  ['ﬆ', 'ST'],
  ['ẛ', 'Ṡ'],
  ['ß', 'SS'],
  ['ẞ', 'SS'],
  ['ſ', 'S'],
];

/**
 * Slip archives and holes of other readers that were published, made again by name: the files themselves stay where they are.
 * Each says where it comes from.
 */
export const PUBLISHED: readonly HostileCase[] = [
  from(JWILK, 'absolute_path', 'absolute1', moo('/tmp/moo')),
  from(JWILK, 'absolute_path', 'absolute2', moo('//tmp/moo')),
  from(JWILK, 'dot_segment', 'relative0', moo('../moo')),
  from(JWILK, 'dot_segment', 'relative2', moo('tmp/../../moo')),
  from(JWILK, 'symbolic_link', 'symlink', symlink('moo', '/tmp/moo'), moo('moo')),
  from(JWILK, 'symbolic_link', 'dirsymlink', symlink('tmp', '/tmp'), moo('tmp/moo')),
  from(JWILK, 'symbolic_link', 'dirsymlink2a', symlink('cur', '.'), symlink('par', 'cur/..'), moo('par/moo')),
  from(JWILK, 'symbolic_link', 'dirsymlink2b', symlink('cur', '.'), symlink('cur/par', '..'), moo('par/moo')),
  from(
    SNYK,
    'dot_segment',
    'zip-slip.tar',
    moo('good.txt.1'),
    gnuLong(`${'../'.repeat(40)}tmp/evil.txt`),
    moo('x'),
  ),
  from(SNYK, 'backslash', 'zip-slip-win.tar', gnuLong(`${'..\\'.repeat(40)}Temp\\evil.txt`), moo('x')),
  from(EVILARC, 'dot_segment', 'evilarc --os unix', moo(`${'../'.repeat(8)}etc/evil`)),
  from(EVILARC, 'backslash', 'evilarc --os win', moo(`${'..\\'.repeat(8)}WINDOWS\\System32\\evil`)),
  from(PEP_706, 'absolute_path', 'test_absolute', moo('/escaped.evil')),
  from(PEP_706, 'dot_segment', 'test_parent_dir', moo('../escaped.evil')),
  from(
    PEP_706,
    'symbolic_link',
    'test_parent_symlink',
    symlink('current', '.'),
    symlink('parent', 'current/..'),
    moo('parent/evil'),
  ),
  from(PEP_706, 'symbolic_link', 'test_absolute_symlink', symlink('parent', '/tmp'), moo('parent/evil')),
  from(PEP_706, 'hard_link', 'test_absolute_hardlink', hardLink('parent', '/tmp/foo')),
  from(PEP_706, 'symbolic_link', 'test_sly_relative0', symlink('../moo', '..//tmp/moo')),
  from(PEP_706, 'symbolic_link', 'test_sly_relative2', symlink('tmp/../../moo', 'tmp/../..//tmp/moo')),
  from(
    PEP_706,
    'symbolic_link',
    'test_deep_symlink',
    symlink('a/b/c', '../../../outside'),
    moo('a/b/c/evil'),
  ),
  from(PEP_706, 'hard_link', 'test_chains', moo('symlink1'), hardLink('linktest1', 'symlink1')),
  from(PEP_706, 'fifo', 'test_pipe', { name: 'foo', type: '6' }),
  from(PEP_706, 'device', 'test_special_files', { name: 'foo', type: '4' }),
  from('CVE-2007-4559 (Python tarfile)', 'dot_segment', 'a member that climbs', moo('../../../etc/evil')),
  from(
    'CVE-2025-4517, CVE-2025-4330 (Python tarfile)',
    'symbolic_link',
    'links longer than PATH_MAX',
    moo(`${'d'.repeat(240)}/x`),
    symlink('a', 'd'.repeat(90)),
    symlink(`${'a/'.repeat(16)}l`, '../'.repeat(16)),
  ),
  from('CVE-2025-8194 (Python tarfile)', 'header_number', 'a size that leads backwards', {
    name: 'a',
    patch: { at: 124, bytes: Buffer.from('fffffffffffffffffffffe00', 'hex') },
  }),
  from(
    'CVE-2019-20907 (Python tarfile)',
    'pax_record',
    'a pax record of length 0, read for ever',
    { name: 'PaxHeaders/a', type: 'x', content: '0 hdrcharset=BINARY\n' },
    moo('a'),
  ),
  from(
    'CVE-2021-32803 (node-tar)',
    'symbolic_link',
    'a folder that becomes a link',
    { name: 'd/', type: '5' },
    symlink('d', '/tmp'),
    moo('d/evil'),
  ),
  from(
    'CVE-2021-32804 (node-tar)',
    'absolute_path',
    'an absolute path of many slashes',
    moo('///////tmp/evil'),
  ),
  from(
    'CVE-2021-37701 (node-tar)',
    'symbolic_link',
    'a link named with a backslash',
    symlink('a\\x', '/tmp'),
  ),
  from(
    'CVE-2021-37712 (node-tar)',
    'collision',
    'a folder and its like in another form',
    { name: 'caf\u00e9/', type: '5' },
    moo('cafe\u0301/evil'),
  ),
  from('CVE-2021-37713 (node-tar)', 'colon', 'a path relative to a drive', moo('C:../evil')),
  from(
    'CVE-2024-28863 (node-tar)',
    'depth',
    'a folder in a folder in a folder',
    pax({ path: `${'x/'.repeat(500)}y` }),
    moo('x'),
  ),
  from(
    'GHSA-8qq5-rm4j-mr97 (node-tar)',
    'hard_link',
    'exploit_hard',
    hardLink('exploit_hard', '/tmp/secret.txt'),
  ),
  from(
    'GHSA-8qq5-rm4j-mr97 (node-tar)',
    'hard_link',
    'exploit_sub',
    { name: 'sub/', type: '5' },
    hardLink('sub/exploit_sub', '../secret.txt'),
  ),
  from(
    'GHSA-8qq5-rm4j-mr97 (node-tar)',
    'symbolic_link',
    'exploit_sym',
    symlink('exploit_sym', '/some/absolute/path'),
  ),
  ...APFS.map(([one, other]) =>
    from('GHSA-r6q2-hw4h-h46w (node-tar)', 'collision', `${one} beside ${other}`, moo(one), moo(other)),
  ),
  from(
    'CVE-2025-62518, TARmageddon (tokio-tar)',
    'dot_segment',
    'an archive inside a pax size, read at another place',
    pax({ size: '0' }),
    { name: 'inner.tar', content: tarOf([moo('../evil')], new Uint8Array()) },
  ),
  from(
    'CVE-2018-20990 (tar-rs)',
    'hard_link',
    'a hard link that is written through',
    hardLink('foo', '../outside'),
    moo('foo'),
  ),
  from('CVE-2021-38511 (tar-rs)', 'symbolic_link', 'a folder made through a link', symlink('l', '..'), {
    name: 'l/made/',
    type: '5',
  }),
  from(
    'CVE-2024-12905, CVE-2025-48387, CVE-2025-59343 (tar-fs)',
    'symbolic_link',
    'a link and a hard link through it',
    symlink('root', '/'),
    hardLink('passwd', 'root/etc/passwd'),
  ),
  from('CVE-2016-6321 (GNU tar)', 'dot_segment', 'a prefix that ends in ..', moo('etc/../etc/shadow')),
  from('CVE-2022-48303 (GNU tar)', 'header_number', 'a number in base 256 with nothing in it', {
    name: 'a',
    magic: '',
    patch: { at: 124, bytes: Buffer.from([0xff, ...Array<number>(11).fill(0)]) },
  }),
  from('CVE-2018-20482 (GNU tar)', 'sparse_file', 'a sparse file that shrinks', {
    name: 's',
    type: 'S',
    content: 'x',
  }),
];
