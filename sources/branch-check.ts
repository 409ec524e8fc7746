import type { BranchCheck } from '../reconciler/ports.ts';
import type { HttpClient } from '../system/http-client.ts';
import { HttpError } from '../system/http-error.ts';
import { requestWithToken } from '../system/token-request.ts';

const DEADLINE_MS = 10_000;
const MAX_BYTES = 64 * 1_024;

export interface BranchCheckOptions {
  readonly client: HttpClient;
  /** `saas_url`. */
  readonly saasUrl: string;
  /** Value of the Authorization header for one call, or null. */
  authorize(method: string, url: string): Promise<string | null>;
}

/**
 * `GET /api/branch-exists?name=tenant/<slug>` (contract, section 7): 200 exists, 404 missing. Anything else, a redirect and no
 * answer included, is `unknown`: nobody is told that a branch is missing on a guess. Rejects only when the signal is aborted.
 */
export function createBranchCheck(options: BranchCheckOptions): BranchCheck {
  return {
    async exists(slug, signal) {
      const url = new URL(`${options.saasUrl.replace(/\/+$/, '')}/api/branch-exists`);
      url.search = `name=tenant/${slug}`;
      try {
        const response = await requestWithToken(
          options.client,
          { method: 'GET', url, signal, deadlineMs: DEADLINE_MS, maxBytes: MAX_BYTES },
          () => options.authorize('GET', url.href),
        );
        response.discard();
        switch (response.status) {
          case 200:
            return 'exists';
          case 404:
            return 'missing';
          default:
            return 'unknown';
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof HttpError) return 'unknown';
        throw error;
      }
    },
  };
}
