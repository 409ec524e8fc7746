import { GitFault, malformed } from './git-fault.ts';
import { createPacketReader, DELIMITER, FLUSH, type PacketReader, packet, quoted } from './pkt-line.ts';
import { type Advertisement, OBJECT_ID } from './remote-refs.ts';
import { ServerComplaint, throwWhenError } from './server-complaint.ts';
import type { SmartHttp } from './smart-http.ts';

export interface PackRequest {
  /** The one commit that is asked for. */
  readonly want: string;
  /** Commits that are here; with any, the server sends only what leads from them to `want`, or says it cannot. */
  readonly haves: readonly string[];
  /** Commits that are here without their parents. */
  readonly shallow: readonly string[];
  /** How far back; null for all that is not here. `since` in seconds since 1970, compared with the committer's time. */
  readonly deepen: { readonly since: number } | { readonly depth: number } | null;
}

export interface PackLimits {
  readonly packBytes: number;
  readonly shallowCommits: number;
}

export type PackAnswer =
  | {
      readonly kind: 'pack';
      /** Commits that came without their parents, as the server says. */
      readonly shallow: readonly string[];
      readonly bytes: number;
    }
  /** Nothing of `haves` leads to `want`, as far as the server knows. */
  | { readonly kind: 'unrelated' };

/**
 * Asks for one commit and hands the pack's bytes to `write` as they come: one POST. Only `want` is wanted; annotated tags of what
 * is sent come along. Throws GitFault, among them `source_malformed` when no whole pack came.
 * Source: gitprotocol-v2 "fetch", gitprotocol-pack "packfile negotiation".
 */
export async function requestPack(
  git: SmartHttp,
  server: Advertisement,
  request: PackRequest,
  limits: PackLimits,
  write: (bytes: Uint8Array) => void,
): Promise<PackAnswer> {
  const question = server.protocol === 2 ? modernQuestion(server, request) : olderQuestion(server, request);
  // Side band framing and progress come on top of the pack.
  const wireBytes = limits.packBytes + Math.ceil(limits.packBytes / 16) + 1_048_576;
  const response = await git.post(question, wireBytes);
  try {
    const packets = createPacketReader(response.body);
    const shallow: string[] = [];
    const note = (line: string) => noteShallow(line, shallow, limits.shallowCommits);
    const found =
      server.protocol === 2
        ? await readSections(packets, request, note)
        : await readOlderPreamble(packets, request, note);
    if (found === 'unrelated') return { kind: 'unrelated' };
    const bytes = await readSideBand(packets, limits.packBytes, write);
    return { kind: 'pack', shallow, bytes };
  } finally {
    response.discard();
  }
}

function modernQuestion(server: Advertisement, request: PackRequest): string {
  const features = (server.capabilities.get('fetch') ?? '').split(' ');
  const shallow = features.includes('shallow');
  return [
    packet('command=fetch\n'),
    ...(server.capabilities.has('object-format') ? [packet('object-format=sha1\n')] : []),
    DELIMITER,
    packet('ofs-delta\n'),
    packet('no-progress\n'),
    packet('include-tag\n'),
    packet(`want ${request.want}\n`),
    ...(shallow ? deepenLines(request) : []),
    ...request.haves.map((oid) => packet(`have ${oid}\n`)),
    // Without `done` the server tells whether what we have leads to what we want before it sends anything.
    ...(request.haves.length === 0 ? [packet('done\n')] : []),
    FLUSH,
  ].join('');
}

function olderQuestion(server: Advertisement, request: PackRequest): string {
  if (!server.capabilities.has('side-band-64k')) {
    throw malformed('expected a git server that knows side-band-64k, found one that does not');
  }
  const known = (name: string) => (server.capabilities.has(name) ? ` ${name}` : '');
  const deepens = server.capabilities.has('shallow');
  const since = server.capabilities.has('deepen-since');
  const usable = request.deepen !== null && 'since' in request.deepen && !since ? null : request.deepen;
  const capabilities = `${known('ofs-delta')} side-band-64k${known('no-progress')}${known('include-tag')}${known('shallow')}${known('deepen-since')}`;
  return [
    packet(`want ${request.want}${capabilities}\n`),
    ...(deepens ? deepenLines({ ...request, deepen: usable }) : []),
    FLUSH,
    ...request.haves.map((oid) => packet(`have ${oid}\n`)),
    packet('done\n'),
  ].join('');
}

function deepenLines(request: PackRequest): string[] {
  const lines = request.shallow.map((oid) => packet(`shallow ${oid}\n`));
  if (request.deepen === null) return lines;
  const how = 'since' in request.deepen ? `-since ${request.deepen.since}` : ` ${request.deepen.depth}`;
  return [...lines, packet(`deepen${how}\n`)];
}

/** Up to the pack itself: acknowledgments and shallow-info, in this order, each only when there is something to say. */
async function readSections(
  packets: PacketReader,
  request: PackRequest,
  note: (line: string) => void,
): Promise<'pack' | 'unrelated'> {
  for (;;) {
    const section = await packets.line();
    if (section === null) throw malformed('expected a pack, found an answer without one');
    throwWhenError(section);
    if (section === 'packfile') return 'pack';
    let ready = false;
    const end = await eachLine(packets, (line) => {
      if (section === 'shallow-info') note(line);
      else if (section === 'acknowledgments') ready ||= line === 'ready';
      else throw malformed(`expected a section of a fetch answer, found ${quoted(section)}`);
    });
    if (section === 'acknowledgments' && (end === 'flush' || !ready) && request.haves.length > 0) {
      return 'unrelated';
    }
  }
}

async function eachLine(packets: PacketReader, take: (line: string) => void): Promise<'flush' | 'delimiter'> {
  for (;;) {
    const found = await packets.next();
    if (found === null)
      throw malformed('expected a whole answer of the git server, found one that breaks off');
    if (found.kind === 'flush' || found.kind === 'delimiter') return found.kind;
    if (found.kind === 'end') throw malformed('expected the next section, found the end of the answer');
    const line = found.bytes.toString('utf8').replace(/\n$/, '');
    throwWhenError(line);
    take(line);
  }
}

/** With a depth the shallow lines end with a flush; then one ACK or NAK, then the pack. */
async function readOlderPreamble(
  packets: PacketReader,
  request: PackRequest,
  note: (line: string) => void,
): Promise<'pack'> {
  let line = await packets.line();
  if (request.deepen !== null) {
    while (line !== null && /^(?:un)?shallow /.test(line)) {
      note(line);
      line = await packets.line();
    }
    if (line === null) line = await packets.line();
  }
  if (line === null) throw malformed('expected an acknowledgment of the git server, found none');
  throwWhenError(line);
  if (!/^(?:NAK|ACK [0-9a-f]{40})$/.test(line)) {
    throw malformed(`expected ACK or NAK of the git server, found ${quoted(line)}`);
  }
  return 'pack';
}

function noteShallow(line: string, shallow: string[], max: number): void {
  const [word = '', oid = ''] = line.split(' ');
  if ((word !== 'shallow' && word !== 'unshallow') || !OBJECT_ID.test(oid)) {
    throw malformed(`expected "shallow" and an object id, found ${quoted(line)}`);
  }
  if (word === 'shallow') shallow.push(oid);
  if (shallow.length > max) {
    throw new GitFault('source_too_large', `expected at most ${max} shallow commits, found more`);
  }
}

/** Band 1 carries the pack, 2 progress, 3 the server's last words (gitprotocol-pack, "packfile data"). */
async function readSideBand(
  packets: PacketReader,
  maxBytes: number,
  write: (bytes: Uint8Array) => void,
): Promise<number> {
  let bytes = 0;
  for (;;) {
    const found = await packets.next();
    if (found === null) throw malformed('expected a whole pack, found one that breaks off');
    if (found.kind === 'flush') return bytes;
    if (found.kind !== 'data') throw malformed('expected the pack, found another section');
    const [band] = found.bytes;
    if (band === 3) {
      throw new ServerComplaint(found.bytes.toString('utf8', 1));
    }
    if (band !== 1) continue;
    bytes += found.bytes.length - 1;
    if (bytes > maxBytes) {
      throw new GitFault('source_too_large', `expected a pack of at most ${maxBytes} bytes, found more`);
    }
    write(found.bytes.subarray(1));
  }
}
