import { useEffect, useRef, useState } from "preact/hooks";
import type { z } from "zod";
import type { RunnerError } from "../../protocol/errors.ts";
import type { EventDoc } from "../../protocol/operator.ts";
import { useSession } from "./context.ts";
import { createStore, type Store } from "./store.ts";

/** Value of a store, following its changes. */
export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.get());
  useEffect(() => {
    setValue(store.get());
    return store.subscribe(() => setValue(store.get()));
  }, [store]);
  return value;
}

const ticker = createStore(Date.now());
setInterval(() => {
  if (!document.hidden) ticker.set(Date.now());
}, 1_000);

/** The time now in milliseconds, once a second for as long as the page is visible. */
export function useNow(): number {
  return useStore(ticker);
}

/** A switch that this browser remembers; only taste is kept here, nothing about jobs. */
export function useTaste(name: string): readonly [boolean, (on: boolean) => void] {
  const key = `runner.${name}`;
  const [on, setOn] = useState(() => {
    try {
      return localStorage.getItem(key) === "1";
    } catch {
      return false;
    }
  });
  const choose = (next: boolean) => {
    setOn(next);
    try {
      localStorage.setItem(key, next ? "1" : "0");
    } catch {
      // Private windows may refuse storage; the choice then lasts as long as the page.
    }
  };
  return [on, choose];
}

export interface Query<T> {
  /** The last good answer; stays when a later read fails. */
  readonly data: T | null;
  readonly error: RunnerError | null;
  /** `data` is the answer to the path that is asked for now, not to one before it. */
  readonly fresh: boolean;
  reload(): void;
}

export interface QueryOptions {
  /** Which events mean that the answer may have changed. */
  readonly refreshOn: (event: EventDoc) => boolean;
  /** Read again at least this often while the page is visible: not every change is an event. */
  readonly everyMs: number;
  /** Events that come within so many milliseconds are answered by one read. */
  readonly burstMs?: number;
  /** Shows the answer to the path before until the one to this path is there: a list that is narrowed does not blink. */
  readonly keep?: boolean;
}

/** A value once it has stood still for so long; its first one at once. */
export function useLater<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

/** Events come in bursts: one read answers all of them. Milliseconds. */
const BURST_MS = 120;

/** Reads `path` and keeps the answer fresh. The old answer goes away only when the path changes. */
export function useQuery<T>(path: string, schema: z.ZodType<T>, options: QueryOptions): Query<T> {
  const { api, live } = useSession();
  const [state, setState] = useState<{ path: string; data: T | null; error: RunnerError | null }>(empty(path));
  const latest = useRef({ options, reload: () => {} });
  latest.current.options = options;

  useEffect(() => {
    const ending = new AbortController();
    const burstMs = latest.current.options.burstMs ?? BURST_MS;
    const reader = createReader(burstMs, async () => {
      const answer = await api.get(path, schema, ending.signal);
      if (ending.signal.aborted) return;
      live.connection.report(path, !answer.ok && answer.error.kind === "unreachable");
      setState((was) => {
        const data = was.path === path || latest.current.options.keep ? was.data : null;
        return answer.ok ? { path, data: answer.value, error: null } : { path, data, error: answer.error };
      });
    });
    latest.current.reload = reader.soon;
    const stops = [
      live.subscribe((event) => latest.current.options.refreshOn(event) && reader.soon()),
      live.onReconnect(reader.soon),
    ];
    const poll = setInterval(() => !document.hidden && reader.soon(), latest.current.options.everyMs);
    const wake = () => !document.hidden && reader.soon();
    document.addEventListener("visibilitychange", wake);
    reader.now();
    return () => {
      ending.abort();
      reader.stop();
      clearInterval(poll);
      document.removeEventListener("visibilitychange", wake);
      live.connection.report(path, false);
      for (const stop of stops) stop();
    };
  }, [api, live, path, schema]);

  const fresh = state.path === path;
  const current = fresh ? state : { data: options.keep ? state.data : null, error: null };
  return { data: current.data, error: current.error, fresh, reload: () => latest.current.reload() };
}

function empty<T>(path: string): { path: string; data: T | null; error: RunnerError | null } {
  return { path, data: null, error: null };
}

/** Runs `read` at most once at a time and once per burst; a wish during a read is answered by one more read. */
function createReader(burstMs: number, read: () => Promise<void>): { now(): void; soon(): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let reading = false;
  let again = false;
  const now = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    reading = true;
    again = false;
    void read().finally(() => {
      reading = false;
      if (again) soon();
    });
  };
  const soon = () => {
    if (reading) again = true;
    else timer ??= setTimeout(now, burstMs);
  };
  return {
    now,
    soon,
    stop() {
      again = false;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
