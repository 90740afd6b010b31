import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useTaste } from "../hooks.ts";
import { useShortcuts } from "../shortcuts.ts";
import { LinkBar } from "./link-bar.tsx";
import { HeadingRow, LogRow } from "./row.tsx";
import { foldKey, isSeen, rowOfLine, type SightWish } from "./sight.ts";
import { LogTools } from "./tools.tsx";
import { useFind } from "./use-find.ts";
import { useLineLink } from "./use-line-link.ts";
import type { LiveLog } from "./use-log.ts";
import { usePart } from "./use-part.ts";
import { LINE_HEIGHT, useViewport } from "./use-viewport.ts";

/** Which lines of the log are wanted; empty text: all. */
export interface LogFilter {
  readonly execution: string;
  readonly step: string;
}

interface LogViewProps {
  readonly id: string;
  readonly log: LiveLog;
  /** Said when nothing was printed (yet). */
  readonly emptyText: string;
  readonly filter: LogFilter;
  readonly onFilter: (filter: LogFilter) => void;
}

const NO_FOLDS: ReadonlySet<string> = new Set();

/** The log, rendered only where it is seen: 100,000 lines cost as much as 60. */
export function LogView({ id, log, emptyText, filter, onFilter }: LogViewProps): JSX.Element {
  const part = usePart(id);
  const buffer = part.buffer ?? log.buffer;
  const [wrap, setWrap] = useTaste("log.wrap");
  const [times, setTimes] = useTaste("log.times");
  const [folded, setFolded] = useState(NO_FOLDS);
  const { execution, step } = filter;
  const wish = useMemo<SightWish>(() => ({ execution, step, folded }), [execution, step, folded]);
  const [range, setRange] = useLineLink();
  /** Line that is to be shown as soon as it is there and in sight. */
  const [wanted, setWanted] = useState(range?.from ?? 0);
  const asked = useRef(0);
  const digits = String(buffer.lines).length;
  const view = useViewport({
    buffer,
    version: part.buffer === null ? log.version : -1,
    wish,
    wrap,
    shape: `${times} ${digits}`,
    startFollowing: range === null,
    onLost: (line) => {
      const linked = range !== null && Math.abs(range.from - line) < NEAR;
      asked.current = 0;
      setWanted(linked ? range.from : line);
    },
  });
  const find = useFind(id, log.buffer, log.version);
  const findField = useRef<HTMLInputElement>(null);
  const { sight, layout, first, last } = view;

  const chosenHere = useRef(0);
  useEffect(() => {
    // What was pressed on the screen is in sight already.
    if (chosenHere.current !== range?.from) setWanted(range?.from ?? 0);
    chosenHere.current = 0;
  }, [range?.from]);
  useEffect(() => {
    if (wanted === 0) return;
    const row = rowOfLine(buffer.rows, wanted);
    if (row !== undefined) {
      if (!isSeen(row, wish)) {
        setFolded(NO_FOLDS);
        onFilter({ execution: "", step: "" });
        return;
      }
      view.showKey(row.key);
      // Another line may have been wished for since.
      setWanted((now) => (now === wanted ? 0 : now));
    } else if (wanted >= log.buffer.firstLine && wanted <= log.buffer.lines && part.buffer !== null) part.leave();
    else if (log.buffer.firstLine > wanted && asked.current !== wanted) {
      asked.current = wanted;
      void part.read(wanted);
    }
  }, [wanted, buffer, wish, log.version, layout]);

  const goTo = (line: number) => {
    if (line === 0) return;
    asked.current = 0;
    view.follow(false);
    setWanted(line);
  };
  /** The line a person looks at stays in sight: the current hit, else the linked line, else the one at the top. */
  const wrapLines = (on: boolean) => {
    const line = [find.line, range?.from ?? 0].find((one) => one > 0 && view.isShown(one));
    setWrap(on);
    if (line !== undefined) setWanted(line);
  };
  const follow = (on: boolean) => {
    part.leave();
    view.follow(on);
  };
  const choose = (line: number, extend: boolean) => {
    const from = extend && range ? Math.min(range.from, line) : line;
    chosenHere.current = from;
    if (extend && range) setRange({ from, to: Math.max(range.from, line) });
    else setRange(range?.from === line && range.to === line ? null : { from: line, to: line });
  };
  const toggleFold = (key: string) => {
    const next = new Set(folded);
    if (!next.delete(key)) next.add(key);
    setFolded(next);
  };
  const step1 = (by: 1 | -1) => goTo(find.step(by, view.topLine()));
  useShortcuts("Log", [
    { key: "/", does: "Find in the log", run: () => findField.current?.focus() },
    { key: "n", does: "Next hit", run: () => step1(1) },
    { key: "N", does: "Previous hit", run: () => step1(-1) },
    { key: "f", does: "Follow the newest lines, or stay here", run: () => follow(!view.following) },
    { key: "w", does: "Wrap long lines", run: () => wrapLines(!wrap) },
    { key: "t", does: "Show the time of each line", run: () => setTimes(!times) },
    {
      key: "l",
      does: "Link to the current hit, or the first line shown",
      run: () => choose(find.line || view.topLine(), false),
    },
    { key: "Escape", does: "Drop the linked lines and the search", run: () => (range ? setRange(null) : find.clear()) },
  ]);

  return (
    <div class={log.state === "ended" ? "log-frame log-done" : "log-frame"}>
      <LogTools
        id={id}
        log={log}
        following={view.following && part.buffer === null}
        onFollow={follow}
        times={times}
        onTimes={setTimes}
        wrap={wrap}
        onWrap={wrapLines}
        find={find}
        findField={findField}
        onStep={step1}
        filter={filter}
        onFilter={onFilter}
      />
      {part.buffer === null ? null : (
        <p class="log-note">
          Lines {part.buffer.firstLine.toLocaleString("en")} to {part.buffer.lines.toLocaleString("en")} of{" "}
          {log.buffer.lines.toLocaleString("en")}, read again.{" "}
          <button
            type="button"
            class="button small"
            disabled={part.buffer.firstLine <= 1}
            onClick={() => goTo(buffer.firstLine - 1)}
          >
            Earlier
          </button>{" "}
          <button type="button" class="button small" onClick={() => goTo(buffer.lines + 1)}>
            Later
          </button>{" "}
          <button type="button" class="button small" onClick={() => follow(true)}>
            Back to the newest
          </button>
        </p>
      )}
      {part.buffer === null && log.buffer.dropped > 0 && first === 0 ? (
        <p class="log-note">
          The page keeps the newest lines.{" "}
          <button type="button" class="button small" onClick={() => goTo(Math.max(1, log.buffer.firstLine - 1))}>
            Show older lines
          </button>
        </p>
      ) : null}
      {log.state === "ended" && wanted > log.buffer.lines ? (
        <p class="log-note" role="status">
          There is no line {wanted.toLocaleString("en")}: the log ends with line {log.buffer.lines.toLocaleString("en")}
          .
        </p>
      ) : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable with the keyboard */}
      <section class="log-box" ref={view.box} tabIndex={0} aria-label="Log" onScroll={view.onScroll}>
        <span class="log-ruler" aria-hidden="true">
          {RULER}
        </span>
        {sight.count === 0 ? (
          <p class="log-empty">
            {buffer.rows.length === 0 ? emptyText : "Nothing of it was printed by what is chosen above."}
          </p>
        ) : (
          <div
            class={view.columns === null ? "log-space" : "log-space log-wrapped"}
            style={{
              height: `${layout.height * LINE_HEIGHT}px`,
              "--digits": String(digits),
              "--columns": String(view.columns ?? 0),
            }}
          >
            <div class="log-window" style={{ transform: `translateY(${layout.topOf(first) * LINE_HEIGHT}px)` }}>
              {Array.from({ length: Math.max(0, last - first) }, (_, index) => {
                const row = sight.rowAt(first + index);
                if (row === undefined) return null;
                if (row.number === 0) {
                  const key = foldKey(row);
                  const isFolded = folded.has(key);
                  return (
                    <HeadingRow
                      key={row.key}
                      row={row}
                      times={times}
                      folded={isFolded}
                      onFold={() => toggleFold(key)}
                    />
                  );
                }
                const linked = range !== null && row.number >= range.from && row.number <= range.to;
                return (
                  <LogRow
                    key={row.key}
                    row={row}
                    times={times}
                    hit={find.line === row.number}
                    needle={find.needle}
                    linked={linked}
                    onLink={choose}
                  />
                );
              })}
            </div>
          </div>
        )}
      </section>
      {range === null ? null : <LinkBar buffer={buffer} range={range} onClose={() => setRange(null)} />}
      {(view.following && part.buffer === null) || sight.count === 0 ? null : (
        <button type="button" class="button small log-end" onClick={() => follow(true)}>
          Jump to the end
        </button>
      )}
    </div>
  );
}

/** Lines between the top and a linked line that still belong to one screen. */
const NEAR = 60;
const RULER = "0".repeat(50);
