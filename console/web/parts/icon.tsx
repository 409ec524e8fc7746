/** Drawn for these pages, on a grid of 16: strokes of 1.5 with round ends, so that they sit beside text of any weight. */
const DRAWINGS = {
  ready: 'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M5.25 8.25l2 2 3.5-4',
  stalled: 'M5.5 1.75h5l3.75 3.75v5l-3.75 3.75h-5L1.75 10.5v-5zM8 4.9v3.6M8 11v.01',
  unhealthy: 'M1.5 8.25h3l1.5-4 2.75 7.5 1.75-5 .9 1.5h3.1',
  unreachable:
    'M1.6 5.6A9.6 9.6 0 0 1 5 3.5M8 2.8c2.5 0 4.7 1.1 6.4 2.8M4.2 8.6a5.6 5.6 0 0 1 2-1.3M9.6 7.2c.9.3 1.6.8 2.2 1.4M8 12v.01M2.25 1.75l11.5 12.5',
  reconciling: 'M13.6 6.2A6 6 0 0 0 2.7 5.4M2.4 2.4v3.2h3.2M2.4 9.8a6 6 0 0 0 10.9.8M13.6 13.6v-3.2h-3.2',
  suspended: 'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M6.25 5.75v4.5M9.75 5.75v4.5',
  held: 'M5.75 1.75h4.5M6.5 1.75v4L4 9h8L9.5 5.75v-4M8 9v5.25',
  waiting: 'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M8 4.75V8l2.25 1.5',
  revoked: 'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M3.6 3.6l8.8 8.8',
  warning: 'M8 2 14.5 13.5h-13zM8 6.4v3.2M8 11.6v.01',
  info: 'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M8 7.4v3.6M8 5v.01',
  overview: 'M2 13.5a6.5 6.5 0 1 1 12 0M8 10.5l3-4M8 11.5a.9.9 0 1 0 0-1.8.9.9 0 0 0 0 1.8',
  agents:
    'M2.75 2.5h10.5a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H2.75a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1M5.5 13.5h5M8 10.5v3',
  flows:
    'M4 5.25a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5M4 14.25a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5M12 9.75a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5M4 5.25v5.5M4 6c0 2 2 2 6.25 2',
  releases:
    'M8.4 1.75H13.5a.75.75 0 0 1 .75.75v5.1l-6.4 6.4a1 1 0 0 1-1.4 0L2 9.55a1 1 0 0 1 0-1.4zM11 5v.01',
  runs: 'M4.25 2.6v10.8L13 8z',
  events: 'M5.5 3.5H14M5.5 8H14M5.5 12.5H14M2.25 3.5v.01M2.25 8v.01M2.25 12.5v.01',
  audit: 'M8 1.75 13.25 3.6v4c0 3-2 5.4-5.25 6.65C4.75 13 2.75 10.6 2.75 7.6v-4zM5.75 7.9l1.6 1.6 2.9-3.2',
  tokens: 'M5.25 13.75a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M7.9 7.9l5.35-5.65M10.6 5.1l2 2M5.25 10.25v.01',
  settings:
    'M2 4.5h6.5M12 4.5h2M2 11.5h2M7.5 11.5H14M10.25 6.25a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5M5.75 13.25a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5',
  tenant:
    'M2.75 14.25V3.5l5.5-1.75v12.5M8.25 6.25h5v8M1.5 14.25h13M5.25 5.5v.01M5.25 8.25v.01M5.25 11v.01M10.75 9v.01M10.75 11.5v.01',
  search: 'M7 12.25a5.25 5.25 0 1 0 0-10.5 5.25 5.25 0 0 0 0 10.5M10.9 10.9l3.35 3.35',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6M8 1.25v1M8 13.75v1M1.25 8h1M13.75 8h1M3.2 3.2l.7.7M12.1 12.1l.7.7M12.8 3.2l-.7.7M3.9 12.1l-.7.7',
  moon: 'M13.5 9.6A5.9 5.9 0 0 1 6.4 2.5 5.9 5.9 0 1 0 13.5 9.6',
  screen: 'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M8 1.75v12.5M8 4.5h4.8M8 8h6.2M8 11.5h4.8',
  language:
    'M8 1.75a6.25 6.25 0 1 0 0 12.5 6.25 6.25 0 0 0 0-12.5M1.75 8h12.5M8 1.75c-4.3 4.2-4.3 8.3 0 12.5 4.3-4.2 4.3-8.3 0-12.5',
  person: 'M8 7.75a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2.5 14.25c.4-3 2.5-4.5 5.5-4.5s5.1 1.5 5.5 4.5',
  menu: 'M2 4h12M2 8h12M2 12h12',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  check: 'M3 8.5l3.25 3.25L13 4.5',
  copy: 'M6 5.25h7a.75.75 0 0 1 .75.75v7a.75.75 0 0 1-.75.75H6a.75.75 0 0 1-.75-.75V6A.75.75 0 0 1 6 5.25M10.75 5.25V3a.75.75 0 0 0-.75-.75H3a.75.75 0 0 0-.75.75v7c0 .4.35.75.75.75h2.25',
  up: 'M3.5 10l4.5-4.5 4.5 4.5',
  down: 'M3.5 6l4.5 4.5L12.5 6',
  right: 'M6 3.5l4.5 4.5L6 12.5',
  left: 'M10 3.5L5.5 8l4.5 4.5',
  arrow: 'M2.5 8h11M9.25 3.75 13.5 8l-4.25 4.25',
  dots: 'M3 8v.01M8 8v.01M13 8v.01',
  download: 'M8 2v8M4.5 6.75 8 10.25l3.5-3.5M2.25 13.75h11.5',
  terminal: 'M2.5 4l3.75 4-3.75 4M8 12.5h5.5',
  link: 'M6.75 9.25a2.9 2.9 0 0 0 4.1 0l2.3-2.3a2.9 2.9 0 0 0-4.1-4.1l-.8.8M9.25 6.75a2.9 2.9 0 0 0-4.1 0l-2.3 2.3a2.9 2.9 0 0 0 4.1 4.1l.8-.8',
  out: 'M6 2.25H3a.75.75 0 0 0-.75.75v10c0 .4.35.75.75.75h3M10.25 11.25 13.5 8l-3.25-3.25M13 8H6',
  undo: 'M2.5 6.5h7a4 4 0 0 1 0 8H6M5.5 3.25 2.25 6.5 5.5 9.75',
  plus: 'M8 2.75v10.5M2.75 8h10.5',
  minus: 'M2.75 8h10.5',
  bin: 'M2.5 4.25h11M6 4.25v-2h4v2M3.75 4.25l.6 9.5h7.3l.6-9.5M6.75 7v4M9.25 7v4',
  eye: 'M1.5 8C4 3.5 12 3.5 14.5 8 12 12.5 4 12.5 1.5 8M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4',
  filter: 'M1.75 2.75h12.5L9.5 8.5v4.75l-3-1.5V8.5z',
  keyboard:
    'M2 3.75h12c.4 0 .75.35.75.75v7c0 .4-.35.75-.75.75H2a.75.75 0 0 1-.75-.75v-7c0-.4.35-.75.75-.75M4 6.5v.01M6.7 6.5v.01M9.3 6.5v.01M12 6.5v.01M4.5 9.5h7',
  tunnel: 'M2 13.5V8a6 6 0 0 1 12 0v5.5M5.25 13.5V8.25a2.75 2.75 0 0 1 5.5 0v5.25M1.25 13.5h13.5',
} as const;

export type IconName = keyof typeof DRAWINGS;

/** Decoration beside words; where it stands alone, its button has an `aria-label`. */
export function Icon(props: { name: IconName; size?: 14 | 16 | 20 | 24 | 32; turning?: boolean }) {
  const { name, size = 16, turning = false } = props;
  return (
    <svg
      class={turning ? 'turning' : undefined}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width={size >= 24 ? 1.25 : 1.5}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={DRAWINGS[name]} />
    </svg>
  );
}

/** The sign of the product. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" fill="#1c56b4" />
      <path
        d="M8 16.5 14 22.5 25 10"
        fill="none"
        stroke="#fff"
        stroke-width="3.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
      <circle cx="8" cy="9" r="2.4" fill="#9cc3ff" />
    </svg>
  );
}
