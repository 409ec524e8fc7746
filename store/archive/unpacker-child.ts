import { readJsonLines } from './json-lines.ts';
import { unpackBundle } from './unpack-bundle.ts';
import { type UnpackerMessage, UnpackRequest } from './unpack-messages.ts';

/** The internal verb that starts an unpacker child. */
export const UNPACK_VERB = 'internal-unpack';
const REQUEST_MAX_BYTES = 64 * 1024;

/**
 * The whole life of the unpacker child: takes requests as JSON lines on standard input, one after the other, and answers on
 * standard output, until the input ends. It holds no credentials and meets bytes that others wrote; Node's permission model
 * gives it one folder to read bundles from and one to write to.
 */
export async function runUnpacker(): Promise<void> {
  // The modes we ask for are the modes we get.
  process.umask(0);
  const send = (message: UnpackerMessage) => process.stdout.write(`${JSON.stringify(message)}\n`);
  // The parent is gone: nobody reads what we would still do.
  process.stdout.on('error', () => process.exit(1));
  for await (const value of readJsonLines(process.stdin, REQUEST_MAX_BYTES)) {
    const request = UnpackRequest.parse(value);
    const answer = await unpackBundle(request, (made) => send({ kind: 'made', id: request.id, ...made }));
    send({ kind: 'answer', id: request.id, answer });
  }
}
