import { useEffect, useRef, useState } from "preact/hooks";
import { logSearch } from "../../../protocol/operator.ts";
import { paths } from "../api/operations.ts";
import { useSession } from "../context.ts";
import type { LogBuffer } from "./buffer.ts";
import { createSearch, type Search } from "./find.ts";
import { firstAtLeast } from "./sight.ts";

export interface Find {
  readonly text: string;
  setText(text: string): void;
  /** Lower case of what is marked in the rows; empty: nothing. */
  readonly needle: string;
  /** Lines with the text, in the whole log. */
  readonly count: number;
  /** Place of the current hit from 1; 0: none is current. */
  readonly at: number;
  /** Line of the current hit; 0: none. */
  readonly line: number;
  /** Rows, or the coordinator, are still being asked. */
  readonly searching: boolean;
  /** Goes to the next (1) or previous (-1) hit, round the ends; answers its line, 0 when there is none. */
  step(by: 1 | -1, fromLine: number): number;
  clear(): void;
}

/** Rows looked at in one frame: a search over a long log must not hold up the page. */
const PER_FRAME = 25_000;
const TYPING_MS = 150;

interface Older {
  readonly count: number;
  readonly lines: readonly number[];
}
const NONE: Older = { count: 0, lines: [] };

/** Finds a text in all lines: those in the browser here, those in front of them by asking the coordinator. */
export function useFind(id: string, buffer: LogBuffer, version: number): Find {
  const { api, announce } = useSession();
  const [text, setText] = useState("");
  const [line, setLine] = useState(0);
  const [older, setOlder] = useState<Older>(NONE);
  const [searching, setSearching] = useState(false);
  const [, redraw] = useState(0);
  const search = useRef<{ text: string; search: Search }>({ text: "", search: createSearch(buffer, "") });
  if (search.current.text !== text) search.current = { text, search: createSearch(buffer, text) };
  const front = text === "" ? 0 : buffer.firstLine - 1;

  useEffect(() => {
    let frame = 0;
    const more = () => {
      const done = search.current.search.advance(PER_FRAME);
      redraw((n) => n + 1);
      if (!done) frame = requestAnimationFrame(more);
    };
    if (text !== "") more();
    return () => cancelAnimationFrame(frame);
  }, [text, version]);

  useEffect(() => {
    setOlder(NONE);
    if (front <= 0) return;
    const ending = new AbortController();
    setSearching(true);
    const timer = setTimeout(async () => {
      const answer = await api.get(paths.logSearch(id, text, front), logSearch, ending.signal);
      if (ending.signal.aborted) return;
      setSearching(false);
      if (answer.ok) setOlder({ count: answer.value.count, lines: answer.value.hits.map((hit) => hit.line) });
      else announce(`Older lines could not be searched. ${answer.error.message}`);
    }, TYPING_MS);
    return () => {
      ending.abort();
      clearTimeout(timer);
      setSearching(false);
    };
  }, [api, id, text, front]);

  const here = search.current.search.hits;
  const total = older.lines.length + here.length;
  const lineAt = (index: number) => older.lines[index] ?? here[index - older.lines.length] ?? 0;
  const placeOf = (wanted: number) => firstAtLeast(total, wanted, lineAt);
  const at = line === 0 ? total : placeOf(line);
  // Hits of the front that were counted but not listed stand between the listed ones and ours.
  const unlisted = at >= older.lines.length ? older.count - older.lines.length : 0;
  return {
    text,
    setText(next) {
      setText(next);
      setLine(0);
    },
    needle: text.toLowerCase(),
    count: older.count + here.length,
    at: at < total ? at + 1 + unlisted : 0,
    line: at < total ? line : 0,
    searching,
    step(by, fromLine) {
      // A person who asks does not wait for the next frames.
      while (!search.current.search.advance(PER_FRAME));
      const total = older.lines.length + here.length;
      if (total === 0) return 0;
      const placeOf = (wanted: number) => firstAtLeast(total, wanted, lineAt);
      const from = line === 0 ? placeOf(fromLine) - (by === 1 ? 1 : 0) : placeOf(line);
      const next = lineAt((from + by + total) % total);
      setLine(next);
      return next;
    },
    clear() {
      setText("");
      setLine(0);
    },
  };
}
