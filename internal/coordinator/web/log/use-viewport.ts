import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LogBuffer } from "./buffer.ts";
import { createLayout, type Layout } from "./layout.ts";
import { createSight, type Sight, type SightWish } from "./sight.ts";

/** Height of a line in CSS pixels; `log.css` has the same number. */
export const LINE_HEIGHT = 19;
/** Rows rendered outside of what is seen, so that a fast scroll does not show white. */
const OVERSCAN = 30;
/** Space right of the text, as in `log.css`. */
const MARGIN = 18;

interface Size {
  readonly top: number;
  readonly height: number;
  /** Characters that fit into a line. */
  readonly columns: number;
}

export interface Viewport {
  readonly box: RefObject<HTMLDivElement | null>;
  readonly sight: Sight;
  readonly layout: Layout;
  /** Positions that are rendered: from the first up to, without, the last. */
  readonly first: number;
  readonly last: number;
  readonly columns: number | null;
  readonly following: boolean;
  onScroll(): void;
  follow(on: boolean): void;
  /** Puts this row into the middle, unless it is well within sight. */
  showKey(key: number): void;
  /** Whether the line with this number is rendered. */
  isShown(line: number): boolean;
  /** Number of the first line within sight. */
  topLine(): number;
}

interface ViewportOptions {
  readonly buffer: LogBuffer;
  readonly version: number;
  readonly wish: SightWish;
  readonly wrap: boolean;
  /** Whatever else moves the text sideways: measured again when it changes. */
  readonly shape: string;
  readonly startFollowing: boolean;
  /** The line that a person reads was dropped. */
  readonly onLost: (line: number) => void;
}

/** What of the log is on the screen. What a person reads stays where it is, whatever is appended, dropped or wrapped. */
export function useViewport(options: ViewportOptions): Viewport {
  const { buffer, version, wish, wrap, shape, startFollowing } = options;
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size>({ top: 0, height: 600, columns: 120 });
  const [following, setFollowing] = useState(startFollowing);
  const columns = wrap ? size.columns : null;
  const sight = useMemo(() => createSight(buffer, wish), [buffer, wish]);
  sight.update();
  const layout = useMemo(() => createLayout(sight, columns), [sight, columns]);
  layout.update();
  const lastTop = useRef(0);
  /** The row at the top and how far it is scrolled out, and for which layout this was so. */
  const anchor = useRef({ key: 0, line: 0, offset: 0, layout, gone: sight.gone });

  const measure = () => {
    const el = box.current;
    if (!el) return;
    const next = { top: el.scrollTop, height: el.clientHeight, columns: columnsOf(el) };
    setSize((was) => (was.top === next.top && was.height === next.height && was.columns === next.columns ? was : next));
  };
  const remember = () => {
    const el = box.current;
    if (!el) return;
    const position = layout.positionAt(el.scrollTop / LINE_HEIGHT);
    const offset = el.scrollTop - layout.topOf(position) * LINE_HEIGHT;
    const row = sight.rowAt(position);
    anchor.current = { key: row?.key ?? 0, line: row?.number ?? 0, offset, layout, gone: sight.gone };
  };
  const scrollTo = (top: number) => {
    const el = box.current;
    if (!el) return;
    el.scrollTop = top;
    lastTop.current = el.scrollTop;
    remember();
    measure();
  };

  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    const { key, line, offset, layout: before, gone } = anchor.current;
    if (!following && before === layout && key < buffer.dropped && line > 0) options.onLost(line);
    if (following) scrollTo(el.scrollHeight);
    else if (before !== layout || gone !== sight.gone)
      scrollTo(layout.topOf(sight.positionOf(key)) * LINE_HEIGHT + offset);
    else measure();
  }, [following, version, layout]);
  useLayoutEffect(measure, [shape, wrap]);
  useLayoutEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const first = Math.max(0, layout.positionAt(size.top / LINE_HEIGHT) - OVERSCAN);
  const last = Math.min(sight.count, layout.positionAt((size.top + size.height) / LINE_HEIGHT) + 1 + OVERSCAN);
  const topPosition = layout.positionAt(size.top / LINE_HEIGHT);
  return {
    box,
    sight,
    layout,
    first,
    last,
    columns,
    following,
    onScroll() {
      const el = box.current;
      if (!el) return;
      const atEnd = el.scrollHeight - el.scrollTop - el.clientHeight < LINE_HEIGHT;
      // Only moves of the person count: up stops following, down to the end takes it up. Our own are known by their place.
      if (el.scrollTop === lastTop.current) return measure();
      if (atEnd) setFollowing(true);
      else if (el.scrollTop < lastTop.current) setFollowing(false);
      lastTop.current = el.scrollTop;
      remember();
      measure();
    },
    follow: setFollowing,
    showKey(key) {
      const el = box.current;
      if (!el) return;
      setFollowing(false);
      const top = layout.topOf(sight.positionOf(key)) * LINE_HEIGHT;
      const near = top > el.scrollTop + 3 * LINE_HEIGHT && top < el.scrollTop + el.clientHeight - 4 * LINE_HEIGHT;
      if (!near) scrollTo(Math.max(0, top - el.clientHeight / 2));
    },
    isShown(line) {
      for (let position = first; position < last; position++) if (sight.rowAt(position)?.number === line) return true;
      return false;
    },
    topLine() {
      for (let position = topPosition; position < sight.count; position++) {
        const number = sight.rowAt(position)?.number ?? 0;
        if (number > 0) return number;
      }
      return buffer.lines;
    },
  };
}

function columnsOf(box: HTMLElement): number {
  const ruler = box.querySelector(".log-ruler");
  const text = box.querySelector<HTMLElement>(".row-text");
  if (!ruler || !text) return 120;
  const character = ruler.getBoundingClientRect().width / (ruler.textContent?.length || 1);
  return Math.max(20, Math.floor((box.clientWidth - text.offsetLeft - MARGIN) / (character || 8)));
}
