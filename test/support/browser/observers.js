// @ts-nocheck: runs in the page, whose types the rest of the tests do not have
// Before anything of the page's own: entries that are over before one asks are not kept by the browser.
(() => {
  const seen = { shifts: [], lcp: 0, policyViolations: [] };
  globalThis.seenByTests = seen;
  const nameOf = (node) => {
    if (!(node instanceof Element)) return node?.nodeName ?? 'something';
    const classes = [...node.classList].map((name) => `.${name}`).join('');
    return `<${node.localName}${node.id === '' ? '' : `#${node.id}`}${classes}>`;
  };
  const place = (box) =>
    `${Math.round(box.x)},${Math.round(box.y)} ${Math.round(box.width)}x${Math.round(box.height)}`;
  const watch = (type, take) => {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) take(entry);
    }).observe({ type, buffered: true });
  };
  watch('layout-shift', ({ hadRecentInput, value, sources }) => {
    if (hadRecentInput) return;
    const moved = sources.map(
      ({ node, previousRect, currentRect }) =>
        `${nameOf(node)} ${place(previousRect)} -> ${place(currentRect)}`,
    );
    seen.shifts.push({ score: value, moved: moved.join('; ') });
  });
  watch('largest-contentful-paint', ({ startTime }) => {
    seen.lcp = startTime;
  });
  document.addEventListener('securitypolicyviolation', (event) => {
    const { effectiveDirective, blockedURI, sourceFile, lineNumber, sample } = event;
    seen.policyViolations.push(
      `policy: ${effectiveDirective} forbids ${blockedURI || 'inline'} at ${sourceFile}:${lineNumber} ${sample}`,
    );
  });
})();
