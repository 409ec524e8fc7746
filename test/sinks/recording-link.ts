import type { TunnelLink } from '../../reconciler/ports.ts';

export interface SentFrame {
  readonly type: string;
  readonly data: unknown;
  readonly id: string | undefined;
}

/** A link that keeps what it is given, and takes only `room` frames more when that is set. */
export function recordingLink(room = Number.POSITIVE_INFINITY) {
  const sent: SentFrame[] = [];
  let left = room;
  const link: TunnelLink = {
    send(type, data, id) {
      if (left <= 0) return false;
      left -= 1;
      sent.push({ type, data, id });
      return true;
    },
  };
  return {
    ...link,
    sent,
    ofType: (type: string) => sent.filter((frame) => frame.type === type),
    /** Takes so many more from now on. */
    roomFor(frames: number) {
      left = frames;
    },
  };
}
