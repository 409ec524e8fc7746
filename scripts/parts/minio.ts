import type { Part } from './part.ts';

/** An S3 server. Its releases have no version that Go knows, so a commit is named. */
export const minio: Part = {
  name: 'minio',
  version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
  build: { kind: 'go', package: 'github.com/minio/minio' },
  takes: 'three to five minutes',
};
