import type { Result, RunnerError } from "../../protocol/errors.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { createSseParser, type SseMessage } from "./parser.ts";

/** `lost`: broken and being retried; `ended`: the server said so or `close` was called; `refused`: no retry helps. */
export type StreamState = "connecting" | "open" | "lost" | "ended" | "refused";

/** How the owner reaches its server: with its address, its key and its trust. An error of another kind than unreachable is final. */
export interface StreamOpener {
  open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Result<Response>>;
}

export interface StreamOptions {
  readonly api: StreamOpener;
  readonly path: string;
  /** Go on behind this id; empty: the server's beginning. */
  readonly lastId: string;
  readonly onMessage: (message: SseMessage) => void;
  readonly onState: (state: StreamState, error: RunnerError | null) => void;
  /** Asked when the server closed the stream cleanly; true: that was its end, do not connect again. */
  readonly endsOnClose: () => boolean;
}

export interface StreamDeps {
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface Stream {
  close(): void;
  /** Retry now instead of at the end of the wait (the network came back). */
  nudge(): void;
}

const BASE_MS = 500;
const CAP_MS = 10_000;
/** The server sends a comment at least every 15 s; three missed ones mean a dead connection. */
const SILENCE_MS = 50_000;

/** Reads a server-sent event stream and keeps it alive: resumes by Last-Event-ID, backs off with jitter. */
export function openStream(options: StreamOptions, deps: StreamDeps = {}): Stream {
  const clock = deps.clock ?? systemClock;
  const random = deps.random ?? Math.random;
  const ending = new AbortController();
  let waiting = new AbortController();
  let lastId = options.lastId;
  let failures = 0;

  async function connect(): Promise<"closed" | "broken" | "refused"> {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    ending.signal.addEventListener("abort", stop, { once: true });
    try {
      const headers: Record<string, string> = lastId === "" ? {} : { "Last-Event-ID": lastId };
      const answer = await options.api.open(options.path, headers, attempt.signal);
      if (!answer.ok) {
        const final = answer.error.kind !== "unreachable";
        if (!ending.signal.aborted) options.onState(final ? "refused" : "lost", answer.error);
        return final ? "refused" : "broken";
      }
      failures = 0;
      options.onState("open", null);
      return await read(answer.value, attempt);
    } finally {
      ending.signal.removeEventListener("abort", stop);
      attempt.abort();
    }
  }

  async function read(response: Response, attempt: AbortController): Promise<"closed" | "broken"> {
    const reader = response.body?.getReader();
    if (!reader) return "closed";
    const decoder = new TextDecoder();
    let ended = false;
    const parser = createSseParser((message) => {
      if (message.id !== "") lastId = message.id;
      if (message.event === "end") ended = true;
      else options.onMessage(message);
    });
    for (;;) {
      const chunk = await within(SILENCE_MS, reader, attempt);
      if (chunk === null) return "broken";
      if (chunk.done) return ended || options.endsOnClose() ? "closed" : "broken";
      parser.push(decoder.decode(chunk.value, { stream: true }));
      if (ended) return "closed";
    }
  }

  /** One read; null when it failed or took longer than a living connection can be silent. */
  async function within(ms: number, reader: ReadableStreamDefaultReader<Uint8Array>, attempt: AbortController) {
    const timer = new AbortController();
    void clock.sleep(ms, timer.signal).then(() => {
      if (!timer.signal.aborted) attempt.abort();
    });
    try {
      return await reader.read();
    } catch {
      return null;
    } finally {
      timer.abort();
    }
  }

  async function run() {
    while (!ending.signal.aborted) {
      const outcome = await connect();
      if (ending.signal.aborted || outcome === "refused") return;
      if (outcome === "closed") return options.onState("ended", null);
      options.onState("lost", null);
      const limit = Math.min(CAP_MS, BASE_MS * 2 ** failures++);
      waiting = new AbortController();
      await clock.sleep(limit / 2 + (random() * limit) / 2, waiting.signal);
    }
  }

  options.onState("connecting", null);
  void run();
  return {
    close() {
      ending.abort();
      waiting.abort();
    },
    nudge: () => waiting.abort(),
  };
}
