import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatUploadMetadata,
  parseUploadMetadata,
  UPLOAD_METADATA_MAX_CHARACTERS,
  UploadMetadata,
} from '../../schemas/upload-metadata.ts';

const line = (maxLength: number) =>
  fc
    .string({ minLength: 1, maxLength, unit: 'grapheme' })
    .filter((text) => /^\P{Cc}+$/u.test(text) && text.isWellFormed());

describe('Upload-Metadata', () => {
  test('comes back as it was written, whatever the names are', () => {
    fc.assert(
      fc.property(line(200), line(200), fc.option(line(40)), (name, purpose, run) => {
        const metadata = {
          name,
          sha256: 'a'.repeat(64),
          kind: 'output' as const,
          run_id: run === null ? null : 'run-1',
          flow: null,
          purpose,
        };
        const header = formatUploadMetadata(metadata);
        expect(header).toMatch(/^[\x20-\x7e]*$/);
        expect(UploadMetadata.parse(parseUploadMetadata(header))).toEqual(metadata);
      }),
    );
  });

  test('reads what others write: keys without a value, spaces after commas', () => {
    expect(parseUploadMetadata('is_confidential, name YS50eHQ=')).toEqual({
      is_confidential: '',
      name: 'a.txt',
    });
  });

  test.each([
    ['a key twice', 'name YQ==,name Yg=='],
    ['no base64', 'name ä'],
    ['bytes that are no text', 'name //4='],
    ['an empty pair', 'name YQ==,,kind YQ=='],
    ['nothing', ''],
    ['too much', `name ${'A'.repeat(UPLOAD_METADATA_MAX_CHARACTERS)}`],
  ])('is none with %s', (_what, header) => {
    expect(parseUploadMetadata(header)).toBeNull();
  });

  test('never throws', () => {
    fc.assert(fc.property(fc.string(), (header) => void parseUploadMetadata(header)));
  });
});
