import axe, { type AxeResults, type Result } from 'axe-core';
import type { Page } from 'playwright-core';

/** Everything up to WCAG 2.2 AA, and what axe calls best practice, which its landmarks and headings are. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** The rules whose answer depends on the colours, which change at night. */
export const COLOURS = ['color-contrast', 'link-in-text-block'];

/**
 * Every finding: the rule, how bad it is, where, what was found, and a page that explains it. `rules`: these alone, such as those
 * of the colours for a page that has been looked at before.
 */
export async function inaccessible(
  page: Page,
  within?: string,
  rules?: readonly string[],
): Promise<string[]> {
  // Evaluated by the debugger, which the policy of the page does not bind.
  if (!(await page.evaluate<boolean>(`'axe' in globalThis`))) await page.evaluate(axe.source);
  const about = within === undefined ? 'document' : JSON.stringify({ include: [[within]] });
  const options = JSON.stringify({
    runOnly: rules === undefined ? { type: 'tag', values: TAGS } : { type: 'rule', values: rules },
    resultTypes: ['violations'],
  });
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${about}, ${options})`);
  return violations.map(finding);
}

function finding({ id, impact, help, helpUrl, nodes }: Result): string {
  const shown = nodes.slice(0, 5).map(({ target, html, failureSummary }) => {
    const why = (failureSummary ?? '').replaceAll(/\s*\n\s*/g, ' ');
    return `    ${target.join(' ')}\n      ${html.slice(0, 200)}\n      ${why.slice(0, 400)}`;
  });
  const more = nodes.length > 5 ? [`    and ${nodes.length - 5} more`] : [];
  return [`  ${id} (${impact}): ${help}; ${helpUrl.split('?')[0]}`, ...shown, ...more].join('\n');
}
