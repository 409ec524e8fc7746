/**
 * Every rule that the list pass holds an archive to, and the code under which breaking it is reported (schemas/reasons.ts).
 * docs/spec/manifest.md says each in a sentence; test/support/hostile-archives.ts breaks each.
 */
export const ARCHIVE_RULES = {
  // The compressed file
  compression: 'archive_refused',
  compressed_data: 'archive_refused',
  compressed_tail: 'archive_refused',
  zstd_window: 'archive_refused',
  // The tar stream
  header_checksum: 'archive_refused',
  header_number: 'archive_refused',
  cut_short: 'archive_refused',
  after_the_end: 'archive_refused',
  hard_link: 'archive_refused',
  symbolic_link: 'archive_refused',
  device: 'archive_refused',
  fifo: 'archive_refused',
  contiguous_file: 'archive_refused',
  sparse_file: 'archive_refused',
  unknown_type: 'archive_refused',
  directory_content: 'archive_refused',
  extended_header_size: 'archive_refused',
  extended_header_order: 'archive_refused',
  pax_record: 'archive_refused',
  pax_charset: 'archive_refused',
  pax_global: 'archive_refused',
  two_names: 'archive_refused',
  // Names
  name_encoding: 'archive_refused',
  name_missing: 'archive_refused',
  absolute_path: 'archive_refused',
  dot_segment: 'archive_refused',
  empty_segment: 'archive_refused',
  control_character: 'archive_refused',
  backslash: 'archive_refused',
  colon: 'archive_refused',
  windows_character: 'archive_refused',
  trailing_dot_or_space: 'archive_refused',
  device_name: 'archive_refused',
  short_name: 'archive_refused',
  name_length: 'archive_refused',
  path_length: 'archive_refused',
  reserved_name: 'archive_refused',
  // Names among one another
  duplicate: 'archive_refused',
  file_as_folder: 'archive_refused',
  collision: 'archive_refused',
  // Caps
  inflated_bytes: 'caps_exceeded',
  inflated_ratio: 'caps_exceeded',
  depth: 'caps_exceeded',
  member_count: 'caps_exceeded',
  unpacked_bytes: 'caps_exceeded',
} as const satisfies Record<string, 'archive_refused' | 'caps_exceeded'>;

export type ArchiveRule = keyof typeof ARCHIVE_RULES;
export const ARCHIVE_RULE_NAMES = Object.keys(ARCHIVE_RULES) as [ArchiveRule, ...ArchiveRule[]];
