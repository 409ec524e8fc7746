import { open } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { cannotRun, programFormat } from '../../executors/program-format.ts';
import { directCommand } from '../../executors/subprocess.ts';

function elf(machine: number, bigEndian = false): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 'latin1');
  head[4] = 2;
  head[5] = bigEndian ? 2 : 1;
  if (bigEndian) head.writeUInt16BE(machine, 18);
  else head.writeUInt16LE(machine, 18);
  return head;
}

describe('what a file is by its first bytes', () => {
  it.each([
    ['a Linux program for x86-64', elf(62), { kind: 'elf', arch: 'x64' }],
    ['one for ARM', elf(183), { kind: 'elf', arch: 'arm64' }],
    ['one for a big-endian processor', elf(22, true), { kind: 'elf', arch: null }],
    ['a Windows program', Buffer.from('MZ\x90\0', 'latin1'), { kind: 'windows' }],
    ['a macOS program', Buffer.from('cffaedfe0c000001', 'hex'), { kind: 'macos' }],
    [
      'a script',
      Buffer.from('#! /usr/bin/env bash -e\necho'),
      { kind: 'script', interpreter: '/usr/bin/env', carriageReturn: false },
    ],
    [
      'a script saved on Windows',
      Buffer.from('#!/bin/sh\r\necho'),
      { kind: 'script', interpreter: '/bin/sh', carriageReturn: true },
    ],
    ['a text', Buffer.from('echo hello'), { kind: 'other' }],
    ['nothing', Buffer.alloc(0), { kind: 'other' }],
  ])('%s', (_, head, format) => {
    expect(programFormat(head)).toEqual(format);
  });

  it('finds the program that runs this test to be one for this machine', async () => {
    const file = await open(process.execPath);
    const { buffer } = await file.read(Buffer.alloc(256), 0, 256, 0);
    await file.close();
    expect(cannotRun(programFormat(buffer), process.platform, process.arch)).toBeNull();
  });
});

describe('what cannot be executed', () => {
  it.each([
    [elf(183), 'linux', 'x64', 'expected a program for x64, found one for arm64'],
    [elf(62), 'win32', 'x64', 'expected a program for Windows, found one for Linux'],
    [Buffer.from('MZ'), 'linux', 'x64', 'expected a program for Linux, found one for Windows'],
    [
      Buffer.from('cffaedfe0c000001', 'hex'),
      'linux',
      'arm64',
      'expected a program for Linux, found one for macOS',
    ],
    [
      Buffer.from('#!/bin/sh\r\n'),
      'linux',
      'x64',
      'expected Unix line ends, found a carriage return after "#!/bin/sh": save it with LF',
    ],
    [elf(3), 'linux', 'x64', null],
    [Buffer.from('echo'), 'linux', 'x64', null],
  ] as const)('%#: %s %s', (head, platform, arch, why) => {
    expect(cannotRun(programFormat(head), platform, arch)).toBe(why);
  });
});

describe('the command line of a file on Windows', () => {
  it.each([
    ['C:\\b\\flow.exe', 'C:\\b\\flow.exe', ['a b']],
    [
      'C:\\b\\flow.ps1',
      'powershell.exe',
      [
        '-NoLogo',
        '-NoProfile',
        '-NonInteractive',
        '-ExecutionPolicy',
        'Bypass',
        '-File',
        'C:\\b\\flow.ps1',
        'a b',
      ],
    ],
  ])('%s', (file, program, args) => {
    expect(directCommand(file, ['a b'], 'win32', 'cmd.exe')).toEqual({ file: program, args });
  });

  it.each([
    [[], ''],
    [['a b', 'plain-1.0', ''], ' "a b" plain-1.0 ""'],
    [['a&b|c<d>e^f(g)!h'], ' "a&b|c<d>e^f(g)!h"'],
    [['%PATH%', '100%'], ' "%%cd:~,%PATH%%cd:~,%" "100%%cd:~,%"'],
    [['say "hi" & more'], ' "say ""hi"" & more"'],
    [['C:\\a b\\', 'C:\\ab\\', '\\"'], ' "C:\\a b\\\\" "C:\\ab\\\\" "\\\\"""'],
    [['x=1,2;3'], ' "x=1,2;3"'],
  ])('of a batch file gives cmd.exe nothing to read in %j', (args, quoted) => {
    const file = 'C:\\Users\\Jean Dupont\\EdgeFlows\\flow.CMD';
    expect(directCommand(file, args, 'win32', 'cmd.exe')).toEqual({
      file: 'cmd.exe',
      args: ['/e:ON', '/v:OFF', '/d', '/s', '/c', `""${file}"${quoted}"`],
      verbatim: true,
    });
  });

  it.each(['a\nb', 'a\r'])('of a batch file cannot hold a line break: %j', (arg) => {
    expect(directCommand('C:\\b\\flow.bat', [arg], 'win32', 'cmd.exe')).toBeNull();
  });

  it('is the file itself elsewhere', () => {
    expect(directCommand('/b/flow.bat', ['x'], 'linux')).toEqual({ file: '/b/flow.bat', args: ['x'] });
  });
});
