import { GitFault, malformed } from './git-fault.ts';
import { createPacketReader, DELIMITER, FLUSH, type PacketReader, packet, quoted } from './pkt-line.ts';
import { throwWhenError } from './server-complaint.ts';
import type { SmartHttp } from './smart-http.ts';

export const OBJECT_ID = /^[0-9a-f]{40}$/;
const NO_OBJECT = '0'.repeat(40);

/** A ref of the server. `peeled` is what an annotated tag says it leads to; null for all others. */
export interface RemoteRef {
  readonly oid: string;
  readonly peeled: string | null;
}

/** What the server said about itself. `advertised` holds its refs when it speaks protocol 0 or 1, else null. */
export interface Advertisement {
  readonly protocol: 0 | 2;
  readonly capabilities: ReadonlyMap<string, string>;
  readonly advertised: ReadonlyMap<string, RemoteRef> | null;
}

/**
 * One GET. A server that does not know protocol 2 answers with all its refs: they are taken under the same cap.
 * Source: gitprotocol-v2 "capability advertisement", gitprotocol-http "smart clients".
 */
export async function readAdvertisement(git: SmartHttp, maxBytes: number): Promise<Advertisement> {
  const response = await git.advertisement(maxBytes);
  try {
    const packets = createPacketReader(response.body);
    let line = await packets.line();
    if (line?.startsWith('# service=')) {
      await packets.line();
      line = await packets.line();
    }
    if (line === 'version 1') line = await packets.line();
    const server =
      line === 'version 2' ? await readCapabilities(packets) : await readAdvertisedRefs(packets, line);
    // The end of the answer is read too, so that the connection can be used again.
    await packets.next();
    return server;
  } catch (error) {
    throw tooMany(error, maxBytes, 'a server that speaks protocol 2');
  } finally {
    response.discard();
  }
}

/**
 * The refs that begin with `prefix`: one POST with protocol 2, none with the older ones. `prefix` is a hint to the server, so
 * the answer is filtered again. Annotated tags come with what they lead to.
 */
export async function listRefs(
  git: SmartHttp,
  server: Advertisement,
  prefix: string,
  maxBytes: number,
): Promise<ReadonlyMap<string, RemoteRef>> {
  if (server.advertised !== null) {
    return new Map([...server.advertised].filter(([name]) => name.startsWith(prefix)));
  }
  const question = [
    packet('command=ls-refs\n'),
    ...(server.capabilities.has('object-format') ? [packet('object-format=sha1\n')] : []),
    DELIMITER,
    packet('peel\n'),
    packet(`ref-prefix ${prefix}\n`),
    FLUSH,
  ];
  const response = await git.post(question.join(''), maxBytes);
  try {
    const packets = createPacketReader(response.body);
    const refs = new Map<string, RemoteRef>();
    for (;;) {
      const line = await packets.line();
      if (line === null) break;
      throwWhenError(line);
      const [oid = '', name = '', ...attributes] = line.split(' ');
      if (!name.startsWith(prefix)) continue;
      const peeled = attributes.find((attribute) => attribute.startsWith('peeled:'))?.slice(7) ?? null;
      add(refs, name, { oid, peeled });
    }
    await packets.next();
    return refs;
  } catch (error) {
    throw tooMany(error, maxBytes, `fewer refs under ${prefix}`);
  } finally {
    response.discard();
  }
}

async function readCapabilities(packets: PacketReader): Promise<Advertisement> {
  const capabilities = new Map<string, string>();
  for (let line = await packets.line(); line !== null; line = await packets.line()) {
    throwWhenError(line);
    const [name = '', ...rest] = line.split('=');
    capabilities.set(name, rest.join('='));
  }
  requireSha1(capabilities.get('object-format'));
  return { protocol: 2, capabilities, advertised: null };
}

async function readAdvertisedRefs(packets: PacketReader, first: string | null): Promise<Advertisement> {
  const advertised = new Map<string, RemoteRef>();
  const capabilities = new Map<string, string>();
  for (let line = first; line !== null; line = await packets.line()) {
    throwWhenError(line);
    const [text = '', list] = line.split('\0');
    for (const capability of (list ?? '').split(' ').filter((word) => word !== '')) {
      const [name = '', ...rest] = capability.split('=');
      capabilities.set(name, rest.join('='));
    }
    const [oid = '', name = ''] = text.split(' ');
    if (oid === 'shallow' || name === 'capabilities^{}') continue;
    const peels = name.endsWith('^{}') ? name.slice(0, -3) : null;
    const tag = peels === null ? undefined : advertised.get(peels);
    if (peels === null) add(advertised, name, { oid, peeled: null });
    else if (tag !== undefined && OBJECT_ID.test(oid)) advertised.set(peels, { oid: tag.oid, peeled: oid });
  }
  requireSha1(capabilities.get('object-format'));
  return { protocol: 0, capabilities, advertised };
}

function add(refs: Map<string, RemoteRef>, name: string, ref: RemoteRef): void {
  const sound =
    OBJECT_ID.test(ref.oid) && ref.oid !== NO_OBJECT && (ref.peeled === null || OBJECT_ID.test(ref.peeled));
  if (!sound) throw malformed(`expected a ref with an object id, found ${quoted(`${ref.oid} ${name}`)}`);
  if (refs.has(name)) throw malformed(`expected every ref once, found ${quoted(name)} twice`);
  refs.set(name, ref);
}

function requireSha1(format: string | undefined): void {
  if (format === undefined || format === 'sha1') return;
  throw malformed(
    `expected a repository of SHA-1 objects, found ${quoted(format)}; this format is not supported`,
  );
}

function tooMany(error: unknown, maxBytes: number, instead: string): unknown {
  const large = error instanceof Error && 'code' in error && error.code === 'too_large';
  if (!large) return error;
  return new GitFault(
    'source_too_large',
    `expected a listing of refs of at most ${maxBytes} bytes, found more; it takes ${instead}`,
    { cause: error },
  );
}
