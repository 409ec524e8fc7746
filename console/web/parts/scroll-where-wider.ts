import { useCallback, useRef } from 'preact/hooks';

/**
 * For what holds a table: it scrolls sideways where the table is wider than its place, and only there, since the heads of a
 * table in something that scrolls do not stay in sight.
 */
export function useScrollWhereWider(): (box: HTMLElement | null) => void {
  const observer = useRef<ResizeObserver | null>(null);
  return useCallback((box: HTMLElement | null) => {
    observer.current?.disconnect();
    const inside = box?.firstElementChild;
    if (box === null || inside === null || inside === undefined) return;
    observer.current = new ResizeObserver(() => {
      box.classList.toggle('is-scrolled', inside.scrollWidth > box.clientWidth + 1);
    });
    observer.current.observe(box);
    observer.current.observe(inside);
  }, []);
}
