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

/** What signs the TUF repositories that tests follow: the reference implementation, with every package it needs. */
export const pythonTuf: Part = {
  name: 'python-tuf',
  version: '7.0.0',
  takes: 'ten seconds',
  build: {
    kind: 'python-packages',
    packages: [
      'tuf==7.0.0',
      'securesystemslib==1.4.0',
      'cryptography==50.0.2',
      'cffi==2.1.1',
      'pycparser==3.12',
      'urllib3==2.8.0',
    ],
  },
};
