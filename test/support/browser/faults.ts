import type { Page } from 'playwright-core';

export interface FaultWatch {
  /** Those since the last time, but for what is forgiven. */
  faults(): Promise<string[]>;
  forgive(faults: readonly RegExp[]): void;
}

/**
 * What goes wrong in a page: messages of the console that are errors or warnings, uncaught errors, requests that failed, answers
 * of 400 and more. Violations of the policy are messages of the console too, and named by the page itself, which knows where.
 */
export function watchFaults(page: Page): FaultWatch {
  const found: string[] = [];
  const forgiven: RegExp[] = [];
  page.on('console', (message) => {
    const kind = message.type();
    if (kind !== 'error' && kind !== 'warning') return;
    const text = message.text();
    // The answer itself is noted below, with its address.
    if (text.startsWith('Failed to load resource: the server responded')) return;
    found.push(`console ${kind}: ${text} (${message.location().url})`);
  });
  page.on('pageerror', (error) => found.push(`uncaught: ${error.stack ?? error.message}`));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? 'no reason given';
    // The browser's own doing when one goes to another page, and a page's that asks anew.
    if (why === 'net::ERR_ABORTED') return;
    found.push(`request failed: ${request.method()} ${pathOf(request.url())}: ${why}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400)
      found.push(`answered ${response.status()}: ${response.request().method()} ${pathOf(response.url())}`);
  });
  return {
    async faults() {
      const violations = await page
        .evaluate<string[]>('globalThis.seenByTests?.policyViolations.splice(0) ?? []')
        .catch(() => []);
      return [...found.splice(0), ...violations].filter(
        (fault) => !forgiven.some((each) => each.test(fault)),
      );
    },
    forgive: (faults) => void forgiven.push(...faults),
  };
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
