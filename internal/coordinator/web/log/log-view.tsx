import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "../format.ts";
import { LogRow } from "./row.tsx";
import { LogTools } from "./tools.tsx";
import { useFind } from "./use-find.ts";
import type { LiveLog } from "./use-log.ts";

/** Height of a row in CSS pixels; `log.css` has the same number. */
const ROW_HEIGHT = 19;
/** Rows rendered outside of what is seen, so that a fast scroll does not show white. */
const OVERSCAN = 30;

interface LogViewProps {
  readonly id: string;
  readonly log: LiveLog;
  /** Said when nothing was printed (yet). */
  readonly emptyText: string;
}

/** The log, rendered only where it is seen: 20,000 lines cost as much as 60. */
export function LogView({ id, log, emptyText }: LogViewProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [following, setFollowing] = useState(true);
  const [times, setTimes] = useState(false);
  const { rows, dropped } = log.buffer;
  const find = useFind(rows, log.version);

  const measure = () => {
    const el = box.current;
    if (el) setView({ top: el.scrollTop, height: el.clientHeight });
  };
  const toEnd = () => {
    const el = box.current;
    if (el) el.scrollTop = el.scrollHeight;
    setFollowing(true);
  };
  const onScroll = () => {
    const el = box.current;
    if (!el) return;
    const atEnd = el.scrollHeight - el.scrollTop - el.clientHeight < ROW_HEIGHT;
    // Only moving up stops following: growth below, or rows dropped above, is not the person's wish.
    if (atEnd) setFollowing(true);
    else if (el.scrollTop < lastTop.current) setFollowing(false);
    lastTop.current = el.scrollTop;
    measure();
  };
  const show = (index: number) => {
    const el = box.current;
    if (!el) return;
    setFollowing(false);
    el.scrollTop = Math.max(0, index * ROW_HEIGHT - el.clientHeight / 2);
  };

  useLayoutEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
    measure();
  }, [following, log.version]);
  useLayoutEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + OVERSCAN);
  return (
    <div class={log.state === "ended" ? "log-frame log-done" : "log-frame"}>
      <LogTools
        id={id}
        log={log}
        following={following}
        onFollow={(on) => (on ? toEnd() : setFollowing(false))}
        times={times}
        onTimes={setTimes}
        find={find}
        onShow={show}
      />
      {dropped > 0 ? (
        <p class="log-note">{count(dropped, "older line")} not shown here. The download has the whole log.</p>
      ) : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable with the keyboard */}
      <section class="log-box" ref={box} tabIndex={0} aria-label="Log" onScroll={onScroll}>
        {rows.length === 0 ? (
          <p class="log-empty">{emptyText}</p>
        ) : (
          <div
            class="log-space"
            style={{ height: `${rows.length * ROW_HEIGHT}px`, "--digits": String(String(log.buffer.lines).length) }}
          >
            <div class="log-window" style={{ transform: `translateY(${first * ROW_HEIGHT}px)` }}>
              {rows.slice(first, last).map((row, index) => (
                <LogRow key={row.key} row={row} times={times} hit={find.current === first + index} />
              ))}
            </div>
          </div>
        )}
      </section>
      {following || rows.length === 0 ? null : (
        <button type="button" class="button small log-end" onClick={toEnd}>
          Jump to the end
        </button>
      )}
    </div>
  );
}
