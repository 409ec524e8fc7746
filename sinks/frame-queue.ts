import type { TunnelLink } from '../reconciler/ports.ts';

interface Waiting {
  readonly type: string;
  readonly data: unknown;
  readonly bytes: number;
  sent: boolean;
}

/** Frames that are kept until the console has acknowledged them. */
export interface FrameQueue {
  /** Past the bounds the oldest is dropped: what matters also goes through the outbox. */
  add(id: string, type: string, data: unknown): void;
  /** Sends what was not sent through this link; false when the link takes no more now. */
  send(link: TunnelLink): boolean;
  acknowledged(ids: readonly string[]): void;
  /** The link is gone: what was sent through it and not acknowledged is sent again through the next. */
  unsend(): void;
  size(): number;
}

export function createFrameQueue(bounds: { maxFrames: number; maxBytes: number }): FrameQueue {
  const frames = new Map<string, Waiting>();
  let bytes = 0;
  const remove = (id: string) => {
    bytes -= frames.get(id)?.bytes ?? 0;
    frames.delete(id);
  };
  return {
    add(id, type, data) {
      const frame = { type, data, bytes: JSON.stringify(data).length, sent: false };
      frames.set(id, frame);
      bytes += frame.bytes;
      while (frames.size > bounds.maxFrames || (bytes > bounds.maxBytes && frames.size > 1)) {
        remove(frames.keys().next().value as string);
      }
    },
    send(link) {
      for (const [id, frame] of frames) {
        if (frame.sent) continue;
        if (!link.send(frame.type, frame.data, id)) return false;
        frame.sent = true;
      }
      return true;
    },
    acknowledged(ids) {
      for (const id of ids) remove(id);
    },
    unsend() {
      for (const frame of frames.values()) frame.sent = false;
    },
    size: () => frames.size,
  };
}
