import type { z } from 'zod';
import { IdentityConflict } from '../../schemas/identity.ts';
import { Id } from '../../schemas/names.ts';
import {
  Ack,
  ConsoleHello,
  Goaway,
  ReconcileRequest,
  RunLogAck,
  TUNNEL_FRAME_MAX_BYTES,
  TunnelFrame,
} from '../../schemas/tunnel-frame.ts';

/** A frame of the console, checked. `ignored`: of a type that means nothing to an agent, now or yet. */
export type Incoming =
  | { readonly kind: 'hello'; readonly hello: ConsoleHello }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'command'; readonly id: string; readonly jws: string }
  | { readonly kind: 'reconcile'; readonly revision: string | null }
  | { readonly kind: 'echo'; readonly id: string; readonly data: unknown }
  | { readonly kind: 'ack'; readonly ids: readonly string[]; readonly refused: readonly string[] }
  | { readonly kind: 'log_ack'; readonly position: RunLogAck }
  | { readonly kind: 'goaway'; readonly afterMs: number; readonly reason: string }
  | { readonly kind: 'conflict'; readonly told: IdentityConflict }
  | { readonly kind: 'ignored'; readonly type: string }
  | { readonly kind: 'invalid'; readonly message: string };

/** Reads one text frame: a structured CloudEvent of at most 1 MiB (the socket holds it to that). Throws nothing. */
export function readFrame(text: string): Incoming {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { kind: 'invalid', message: 'expected JSON, found none' };
  }
  const frame = TunnelFrame.safeParse(parsed);
  if (!frame.success) return invalid('a CloudEvent', frame.error);
  const { type, id, data } = frame.data;
  switch (type) {
    case 'edgeflows.hello':
      return reading(type, ConsoleHello, data, (hello) => ({ kind: 'hello', hello }));
    case 'edgeflows.heartbeat':
      return { kind: 'heartbeat' };
    case 'edgeflows.command':
      // Its id goes back in an acknowledgement, so it has to be one that an acknowledgement takes.
      if (!Id.safeParse(id).success)
        return {
          kind: 'invalid',
          message: `${type}: expected an id of 1-64 of A-Za-z0-9._-`,
        };
      if (typeof data !== 'string')
        return { kind: 'invalid', message: `${type}: expected a compact JWS as text` };
      return { kind: 'command', id, jws: data };
    case 'edgeflows.reconcile.request':
      return reading(type, ReconcileRequest, data ?? {}, ({ revision = null }) => ({
        kind: 'reconcile',
        revision,
      }));
    case 'edgeflows.echo.request':
      return { kind: 'echo', id, data };
    case 'edgeflows.ack':
      return reading(type, Ack, data, ({ ids, refused = [] }) => ({
        kind: 'ack',
        ids,
        refused: refused.map((each) => each.id),
      }));
    case 'edgeflows.run.log.ack':
      return reading(type, RunLogAck, data, (position) => ({ kind: 'log_ack', position }));
    case 'edgeflows.goaway':
      return reading(type, Goaway, data, ({ after_ms: afterMs, reason }) => ({
        kind: 'goaway',
        afterMs,
        reason,
      }));
    case 'edgeflows.identity.conflict':
      return reading(type, IdentityConflict, data, (told) => ({ kind: 'conflict', told }));
    default:
      return { kind: 'ignored', type };
  }
}

export interface Outgoing {
  readonly type: string;
  readonly id: string;
  readonly agentId: string;
  readonly at: Date;
  readonly data: unknown;
}

/** The text of a frame of ours; null when it is more than a frame may be. */
export function writeFrame(frame: Outgoing): string | null {
  const text = JSON.stringify({
    specversion: '1.0',
    type: frame.type,
    id: frame.id,
    source: `/agents/${frame.agentId}`,
    time: frame.at.toISOString(),
    datacontenttype: 'application/json',
    data: frame.data,
  });
  return Buffer.byteLength(text) > TUNNEL_FRAME_MAX_BYTES ? null : text;
}

function reading<Schema extends z.ZodType>(
  type: string,
  schema: Schema,
  data: unknown,
  then: (value: z.output<Schema>) => Incoming,
): Incoming {
  const read = schema.safeParse(data);
  return read.success ? then(read.data) : invalid(`data of ${type}`, read.error);
}

function invalid(what: string, error: z.ZodError): Incoming {
  const [issue] = error.issues;
  return {
    kind: 'invalid',
    message: `expected ${what}, found at ${issue?.path.join('.') || 'its top'}: ${issue?.message ?? 'a mistake'}`,
  };
}
