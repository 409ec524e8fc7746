import { TUNNEL_FRAME_MAX_BYTES, TunnelFrame } from '../../schemas/tunnel-frame.ts';

/** A frame of this console, ready to be sent to any number of agents. `data` must be JSON. */
export function encodeFrame(frame: {
  readonly type: string;
  readonly id: string;
  readonly time: Date;
  readonly data: unknown;
  /** `application/json` when absent. */
  readonly contentType?: string;
}): Buffer {
  const event = {
    specversion: '1.0',
    type: frame.type,
    id: frame.id,
    source: '/console',
    time: frame.time.toISOString(),
    datacontenttype: frame.contentType ?? 'application/json',
    data: frame.data,
  };
  return Buffer.from(JSON.stringify(event), 'utf8');
}

/** Null for what is no CloudEvents frame of the contract (section 8). `data` has not been looked at. */
export function decodeFrame(text: Buffer): TunnelFrame | null {
  if (text.byteLength > TUNNEL_FRAME_MAX_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch {
    return null;
  }
  const frame = TunnelFrame.safeParse(value);
  return frame.success ? frame.data : null;
}
