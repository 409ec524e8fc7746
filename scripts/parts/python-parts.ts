import type { Part } from './part.ts';

/** The installer that is taken before pip where it is there. */
export const uv: Part = {
  name: 'uv',
  version: '0.13.9',
  takes: 'ten seconds',
  build: { kind: 'pip-program', package: 'uv', program: 'bin/uv' },
};

/** Playwright for Python and what it needs: bundles of the tests bring them as their wheel-house. */
export const playwrightWheels: Part = {
  name: 'playwright-wheels',
  version: '1.65.2',
  takes: 'ten seconds',
  build: { kind: 'wheels', packages: ['playwright==1.65.2', 'greenlet==3.5.6'] },
};

/** What Playwright's videos are made with, where its own is not installed. */
export const ffmpeg: Part = {
  name: 'ffmpeg',
  version: '0.8.1',
  takes: 'half a minute',
  build: { kind: 'pip-program', package: 'imageio-ffmpeg', program: 'imageio_ffmpeg/binaries/ffmpeg-*' },
};
