import { z } from 'zod';

/** `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`: a tenant slug or a flow id (contract, section 1). */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(?:\.|$)/i;

export const Slug = z
  .string()
  .regex(LABEL, 'expected 1-63 of a-z, 0-9 and inner hyphens, such as "acme-2"')
  .describe('Tenant slug: the branch is tenant/<slug>');

export const FlowId = z
  .string()
  .regex(LABEL, 'expected 1-63 of a-z, 0-9 and inner hyphens, such as "invoice-bot"')
  .describe('Flow id');

/** True when Windows would read the name, with or without an extension, as a device. */
export function isWindowsDeviceName(name: string): boolean {
  return WINDOWS_DEVICE.test(name);
}

/** A version names a directory on every platform, so it is limited to what all of them take. */
export const VersionName = z
  .string()
  .regex(
    VERSION,
    'expected 1-64 of letters, digits and ._+- beginning with a letter or digit, such as "v1.0.7"',
  )
  .refine((name) => !name.endsWith('.'), 'expected no dot at the end')
  .refine((name) => !isWindowsDeviceName(name), 'expected a name that is not a Windows device (CON, NUL, …)')
  .describe('Version: a name for a digest');

/** Ids of agents, runs, commands and events: made elsewhere or UUIDv7 of ours. */
export const Id = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1-64 of letters, digits, dots, underscores and hyphens');

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');

/** Manifests are written by hand and by compilers: upper case is taken and made lower. */
export const Sha256Input = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, 'expected 64 hexadecimal digits')
  .transform((digits) => digits.toLowerCase());

export const Timestamp = z.iso.datetime({
  offset: true,
  error: 'expected an RFC 3339 time, such as "2026-11-20T15:00:00Z"',
});

/** `tenant/<slug>@sha1:<40 hex>` (git) or `tenant/<slug>@sha256:<64 hex>` (http). */
export const Revision = z
  .string()
  .regex(
    /^tenant\/[a-z0-9-]{1,63}@(?:sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$/,
    'expected tenant/<slug>@sha1:<40 hex>',
  );
