import type { WatchedProgress } from '../agent/open.ts';
import { bytes, type Terminal } from './terminal.ts';

const REDRAW_MS = 100;

/** Shows a person what a reconcile is doing, one line that changes; nothing when nobody watches. */
export function createTerminalProgress(terminal: Terminal): WatchedProgress {
  let drawnAt = 0;
  const show = (text: string, always: boolean) => {
    const now = performance.now();
    if (!always && now - drawnAt < REDRAW_MS) return;
    drawnAt = now;
    terminal.progress(text);
  };
  return {
    phase(flow, phase) {
      if (phase !== 'active') show(`${flow}: ${phase} …`, phase !== 'fetching');
    },
    fetching({ flow, bytes: done, total }) {
      const share =
        total === null || total === 0 ? '' : `  ${bar(done / total)} ${Math.floor((100 * done) / total)} %`;
      show(`${flow}: fetching ${bytes(done)}${total === null ? '' : ` of ${bytes(total)}`}${share}`, false);
    },
  };
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * 20);
  return `${'█'.repeat(full)}${'░'.repeat(20 - full)}`;
}
