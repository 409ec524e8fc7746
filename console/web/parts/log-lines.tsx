import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from '@tanstack/virtual-core';
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
  /** Of the first line. */
  numberFrom?: number;
  follow?: boolean;
  /** Somebody has scrolled away from the end, or back to it. */
  onFollow?: (follow: boolean) => void;
}) {
  const { count, follow = false, onFollow, numberFrom = 1 } = props;
  const box = useRef<HTMLDivElement>(null);
  const [items, setItems] = useState<readonly VirtualItem[]>([]);
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
        onChange: (instance) => setItems(instance.getVirtualItems()),
      }),
  );
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => {
    virtualizer.setOptions({ ...virtualizer.options, count });
    virtualizer._willUpdate();
    setItems(virtualizer.getVirtualItems());
    if (follow && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [virtualizer, count, follow]);
  return (
    <div
      ref={box}
      class="log"
      role="log"
      aria-label={props.label}
      aria-live="off"
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        const atEnd = scrollHeight - clientHeight - scrollTop < 2 * rowPx;
        if (atEnd !== follow) onFollow?.(atEnd);
      }}
    >
      <div class="log-lines" ref={(lines) => lines?.style.setProperty('height', `${count * rowPx}px`)}>
        {items.map(({ index, start }) => (
          <div
            key={index}
            class="log-line"
            ref={(line) => line?.style.setProperty('transform', `translateY(${start}px)`)}
          >
            <span class="log-number" aria-hidden="true">
              {numberFrom + index}
            </span>
            {props.line(index)}
          </div>
        ))}
      </div>
    </div>
  );
}
