import { gnuLong, type Member, pax } from '../bundles.ts';
import { type HostileCase, hostile } from './hostile-case.ts';

const GIB_10 = 10 * 1024 ** 3;
const GNU = 'ustar  \0';
const symlink = (name: string, link: string): Member => ({ name, type: '2', link });
const hardLink = (name: string, link: string): Member => ({ name, type: '1', link });
const ofType = (type: string): Member[] => [{ name: 'member', type, content: 'x' }];

/** GNU's old sparse header: the real size in octal at 483, one data block. */
const oldSparse: Member = {
  name: 'disk.img',
  type: 'S',
  magic: GNU,
  content: 'x'.repeat(512),
  patch: { at: 483, bytes: Buffer.from(GIB_10.toString(8).padStart(11, '0')) },
};

/** Members that are neither file nor directory, and files that are not what they seem. */
export const TYPES: readonly HostileCase[] = [
  hostile('symbolic_link', 'a symbolic link to an absolute path', [symlink('l', '/etc/passwd')]),
  hostile('symbolic_link', 'a symbolic link out of the folder', [symlink('l', '../../outside')]),
  hostile('symbolic_link', 'a symbolic link to a member', [symlink('l', 'good.txt')]),
  hostile('symbolic_link', 'a symbolic link to a later member', [symlink('l', 'later'), { name: 'later' }]),
  hostile('symbolic_link', 'a symbolic link to its own folder', [symlink('l', '.')]),
  hostile('symbolic_link', 'a symbolic link to itself', [symlink('l', 'l')]),
  hostile('symbolic_link', 'a symbolic link without a target', [symlink('l', '')]),
  hostile('symbolic_link', 'a folder that is a link, with a member behind it', [
    symlink('d', '/tmp'),
    { name: 'd/evil', content: 'x' },
  ]),
  hostile('symbolic_link', 'a file that is replaced through its link', [
    symlink('f', '/tmp/evil'),
    { name: 'f', content: 'x' },
  ]),
  hostile('symbolic_link', 'a long GNU link target', [
    gnuLong(`/${'very/long/'.repeat(30)}target`, 'K'),
    symlink('l', 'short'),
  ]),
  hostile('symbolic_link', 'a link target in a pax header', [
    pax({ linkpath: '../../outside' }),
    symlink('l', 'short'),
  ]),
  hostile('symbolic_link', 'a symbolic link with content', [{ ...symlink('l', 'x'), content: 'abc' }]),
  hostile('symbolic_link', 'a symbolic link whose name ends in a slash', [symlink('l/', '..')]),
  hostile('hard_link', 'a hard link to a member', [hardLink('l', 'good.txt')]),
  hostile('hard_link', 'a hard link out of the folder', [hardLink('l', '../../outside')]),
  hostile('hard_link', 'a hard link to an absolute path', [hardLink('l', '/etc/passwd')]),
  hostile('hard_link', 'a hard link to a later member', [hardLink('l', 'later'), { name: 'later' }]),
  hostile('hard_link', 'a hard link to itself', [hardLink('l', 'l')]),
  hostile('hard_link', 'a hard link with content', [{ ...hardLink('l', 'good.txt'), content: 'abc' }]),
  hostile('device', 'a character device', ofType('3')),
  hostile('device', 'a block device', ofType('4')),
  hostile('fifo', 'a FIFO', ofType('6')),
  hostile('contiguous_file', 'a contiguous file', ofType('7')),
  hostile('sparse_file', 'a sparse file of 10 GB in the old GNU form', [oldSparse]),
  hostile('sparse_file', 'a sparse file of 10 GB in the pax form 0.0', [
    pax({ 'GNU.sparse.size': String(GIB_10), 'GNU.sparse.numblocks': '1' }),
    { name: 'disk.img', content: 'x' },
  ]),
  hostile('sparse_file', 'a sparse file of 10 GB in the pax form 0.1', [
    pax({ 'GNU.sparse.map': '0,1', 'GNU.sparse.size': String(GIB_10), 'GNU.sparse.name': 'disk.img' }),
    { name: 'GNUSparseFile.0/disk.img', content: 'x' },
  ]),
  hostile('sparse_file', 'a sparse file of 10 GB in the pax form 1.0', [
    pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': String(GIB_10) }),
    { name: 'GNUSparseFile.0/disk.img', content: '1\n0\n1\n'.padEnd(512, '\0') },
  ]),
  hostile('sparse_file', 'a global header that makes every file sparse', [
    pax({ 'GNU.sparse.realsize': String(GIB_10) }, 'g'),
    { name: 'a' },
  ]),
  ...[...'MVDNAXIZe89:'.split(''), '\u007f', '\u00ff', '\u0001', ' '].map((type) =>
    hostile('unknown_type', `a member of the type ${JSON.stringify(type)}`, ofType(type)),
  ),
];
