import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';

export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** One request on a connection of its own to a loopback port. Rejects when the connection breaks, or says nothing for 5 s. */
export async function askPort(port: number, question: Question): Promise<Answered> {
  const { method = 'POST', path = '/commands', headers = {}, body = '' } = question;
  const asking = request({ host: '127.0.0.1', port, method, path, headers, agent: false, timeout: 5_000 });
  asking.on('timeout', () => asking.destroy(new Error('no answer in time')));
  asking.end(body);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}
