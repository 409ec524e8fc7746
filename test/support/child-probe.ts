// In the place of the program, under the rights of a child of ours: tries what it has no right to and prints `{<attempt>: "done" | <error>}`.
//
//   child-probe.ts <verb>, with a ProbeOrder as JSON on standard input
import { execFileSync, fork, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import { request } from 'node:http';
import inspector from 'node:inspector';
import { connect } from 'node:net';
import { join } from 'node:path';
import v8 from 'node:v8';
import { WASI } from 'node:wasi';
import { Worker } from 'node:worker_threads';

export interface ProbeOrder {
  readonly secret: string;
  /** Folders: one it may write to, one it may read, one it may neither. */
  readonly own: string;
  readonly readable: string;
  readonly elsewhere: string;
  /** Made by somebody else, in `readable`, to `secret`. */
  readonly socket: string;
  readonly port: number;
}

const order = JSON.parse(fs.readFileSync(0, 'utf8')) as ProbeOrder;
const { secret, own, readable, elsewhere } = order;
const outside = (name: string) => join(elsewhere, name);
const wait = (emitter: NodeJS.EventEmitter, good: string) =>
  new Promise<void>((resolve, reject) => {
    emitter.once(good, () => resolve());
    emitter.once('error', reject);
  });

const attempts: Record<string, () => unknown> = {
  'start a program': () => wait(spawn('/bin/true'), 'spawn'),
  'start a shell and wait': () => execFileSync('/bin/sh', ['-c', 'true']),
  'start another Node': () => wait(fork(join(own, 'x.js')), 'spawn'),
  'start a thread': () => wait(new Worker('0', { eval: true }), 'online'),
  'load native code': () => process.dlopen({ exports: {} }, join(readable, 'addon.node')),
  'run WASI': () => new WASI({ version: 'preview1', preopens: { '/': '/' } }),
  'open the inspector': () => inspector.open(0),
  'read the credentials': () => fs.readFileSync(secret),
  'read them by a path with ..': () =>
    fs.readFileSync(join(readable, '..') + '/' + secret.split('/').slice(-2).join('/')),
  'read them by /proc/self/root': () => fs.readFileSync(`/proc/self/root${secret}`),
  'read them by /proc/self/cwd': () => fs.readFileSync(`/proc/self/cwd${secret}`),
  'read them as a stream': () => wait(fs.createReadStream(secret), 'data'),
  'read them as a blob': () => fs.openAsBlob(secret).then((blob) => blob.text()),
  'list where they are': () => fs.readdirSync(join(secret, '..')),
  'link to them': () => fs.symlinkSync(secret, join(own, 'link')),
  'name them again': () => fs.linkSync(secret, join(own, 'hard')),
  'copy them': () => fs.copyFileSync(secret, join(own, 'copy')),
  'read the environment of the agent': () => fs.readFileSync(`/proc/${process.ppid}/environ`),
  'write elsewhere': () => fs.writeFileSync(outside('file'), ''),
  'make a folder elsewhere': () => fs.mkdirSync(outside('folder')),
  'move something elsewhere': () => {
    fs.writeFileSync(join(own, 'moved'), '');
    fs.renameSync(join(own, 'moved'), outside('moved'));
  },
  'remove something elsewhere': () => fs.rmSync(outside('there')),
  'change modes elsewhere': () => fs.chmodSync(outside('there'), 0o777),
  'write where it only reads': () => fs.writeFileSync(join(readable, 'file'), ''),
  'write a database elsewhere': async () =>
    new (await import('node:sqlite')).DatabaseSync(outside('a.db')).exec('CREATE TABLE t (a)'),
  'attach a database elsewhere': async () =>
    new (await import('node:sqlite')).DatabaseSync(':memory:').exec(
      `ATTACH '${outside('b.db')}' AS x; CREATE TABLE x.t (a)`,
    ),
  'write a heap snapshot elsewhere': () => v8.writeHeapSnapshot(outside('heap')),
  'write a report elsewhere': () => {
    process.report.writeReport(outside('report.json'));
    fs.readFileSync(outside('report.json'));
  },
  'ask the control socket': async () => {
    const answer = await fetchBySocket(order.socket);
    if (answer !== 200) throw new Error(`answered ${answer}`);
  },
  'reach the network': () => wait(connect(order.port, '127.0.0.1'), 'connect'),
  'send a datagram': () =>
    new Promise<void>((resolve, reject) => {
      const socket = dgram.createSocket('udp4');
      socket.once('error', reject);
      socket.send('x', order.port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error)));
    }),
  'become another account': () => process.setuid?.(65_534),
};

const found: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    found[name] = 'done';
  } catch (error) {
    found[name] = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}
process.stdout.write(JSON.stringify(found), () => process.exit(0));

function fetchBySocket(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', path: '/v1/status' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject).end('{}');
  });
}
