import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** 1.25rem of the sheet, at the browser's own size of text. */
const ROW_REM = 1.25;
const OVERSCAN = 20;

/**
 * A list of any number of lines of one height, of which those in sight are drawn. `follow`: stays at the end as lines come.
 */
export function LogLines(props: {
  label: string;
  count: number;
  line: (index: number) => ComponentChildren;
  /** Of the first line; null: nobody knows. */
  numberFrom?: number | null;
  /** Long lines go on below, in place of to the right. */
  wrap?: boolean;
  /** Brings a line into sight: a new object each time. */
  goTo?: { readonly index: number } | null;
  lineClass?: (index: number) => string | undefined;
  follow?: boolean;
  /** Somebody has scrolled away from the end, or back to it. */
  onFollow?: (follow: boolean) => void;
}) {
  const { count, follow = false, onFollow, numberFrom = 1, wrap = false, goTo = null } = props;
  const box = useRef<HTMLDivElement>(null);
  const inside = useRef<HTMLDivElement>(null);
  const [, draw] = useState(0);
  const rowPx = ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const [virtualizer] = useState(
    () =>
      new Virtualizer<HTMLDivElement, HTMLDivElement>({
        count,
        getScrollElement: () => box.current,
        estimateSize: () => rowPx,
        overscan: OVERSCAN,
        scrollToFn: elementScroll,
        observeElementRect,
        observeElementOffset,
        onChange: () => draw((times) => times + 1),
      }),
  );
  virtualizer.setOptions({ ...virtualizer.options, count });
  const items = virtualizer.getVirtualItems();
  const height = wrap ? virtualizer.getTotalSize() : count * rowPx;
  const lastTop = useRef(0);
  const lastFrom = useRef(numberFrom);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  useLayoutEffect(() => virtualizer.measure(), [virtualizer, wrap]);
  useLayoutEffect(() => {
    inside.current?.style.setProperty('height', `${height}px`);
    const element = box.current;
    if (!follow || element === null) return;
    const toEnd = () => {
      element.scrollTop = element.scrollHeight;
    };
    toEnd();
    // And once more when everything of this drawing has its place.
    const frame = requestAnimationFrame(toEnd);
    return () => cancelAnimationFrame(frame);
  }, [follow, height, count]);
  useLayoutEffect(() => {
    // Lines have gone from the beginning: those that somebody reads stay where they are.
    const gone = (numberFrom ?? 0) - (lastFrom.current ?? 0);
    lastFrom.current = numberFrom;
    if (gone > 0 && !follow && box.current !== null) box.current.scrollTop -= gone * rowPx;
  }, [numberFrom, follow, rowPx]);
  useLayoutEffect(() => {
    if (goTo !== null) virtualizer.scrollToIndex(goTo.index, { align: 'center' });
  }, [virtualizer, goTo]);
  return (
    <div
      ref={box}
      class={wrap ? 'log is-wrapped' : 'log'}
      role="log"
      aria-label={props.label}
      aria-live="off"
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        const atEnd = scrollHeight - clientHeight - scrollTop < 2 * rowPx;
        const up = scrollTop < lastTop.current - 1;
        lastTop.current = scrollTop;
        // Lines that come while it is scrolled are no reason to let go: somebody who goes up is.
        if (atEnd !== follow && (atEnd || up)) onFollow?.(atEnd);
      }}
    >
      <div ref={inside} class="log-lines">
        {items.map(({ index, start }) => (
          <div
            key={index}
            class={`log-line ${props.lineClass?.(index) ?? ''}`}
            data-index={index}
            ref={(line) => {
              line?.style.setProperty('transform', `translateY(${start}px)`);
              if (wrap) virtualizer.measureElement(line);
            }}
          >
            {numberFrom === null ? null : (
              <span class="log-number" aria-hidden="true">
                {numberFrom + index}
              </span>
            )}
            {props.line(index)}
          </div>
        ))}
      </div>
    </div>
  );
}
