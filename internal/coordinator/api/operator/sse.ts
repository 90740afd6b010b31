import { type Clock, systemClock } from "../../../kit/base/clock.ts";

/** A comment at least this often, so that proxies and clients know the connection lives. Milliseconds. */
const KEEP_ALIVE_MS = 15_000;

export interface SseMessage {
  readonly id: string;
  readonly event?: string;
  readonly data: string;
}

/**
 * A server-sent event stream that is pulled: `next` is asked for more only when the client has taken what there is.
 * It answers messages, `null` when nothing came in time (a comment is sent), or `undefined` at the end.
 */
export function sseResponse(
  next: (waitMs: number, signal: AbortSignal) => Promise<readonly SseMessage[] | null | undefined>,
  request: { readonly signal: AbortSignal; readonly closed: () => void },
): Response {
  const ending = new AbortController();
  const stop = () => {
    if (ending.signal.aborted) return;
    ending.abort();
    request.closed();
  };
  if (request.signal.aborted) stop();
  request.signal.addEventListener("abort", stop, { once: true });
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    // The first bytes go out at once: a client sees that the stream is open although nothing happens.
    start: (controller) => controller.enqueue(encoder.encode(": open\n\n")),
    pull: async (controller) => {
      const messages = ending.signal.aborted ? undefined : await next(KEEP_ALIVE_MS, ending.signal);
      if (ending.signal.aborted) return;
      if (messages === undefined) {
        controller.enqueue(encoder.encode("event: end\ndata: {}\n\n"));
        controller.close();
        stop();
        return;
      }
      controller.enqueue(encoder.encode(messages === null ? ": alive\n\n" : messages.map(format).join("")));
    },
    cancel: stop,
  });
  const headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };
  return new Response(body, { headers: { ...headers, "x-accel-buffering": "no" } });
}

/** Data is one line of JSON: it needs no splitting. */
function format(message: SseMessage): string {
  const event = message.event === undefined ? "" : `event: ${message.event}\n`;
  return `id: ${message.id}\n${event}data: ${message.data}\n\n`;
}

/** Resolves at the next nudge, after `ms`, or when the signal is aborted. */
export interface Nudge {
  readonly nudge: () => void;
  wait(ms: number, signal: AbortSignal): Promise<"nudged" | "quiet">;
}

export function createNudge(clock: Clock = systemClock): Nudge {
  let nudged = false;
  let wake: (() => void) | null = null;
  return {
    nudge: () => {
      nudged = true;
      wake?.();
    },
    wait: async (ms, signal) => {
      if (!nudged) {
        const woken = new AbortController();
        wake = () => woken.abort();
        await clock.sleep(ms, AbortSignal.any([signal, woken.signal]));
        wake = null;
      }
      const was = nudged;
      nudged = false;
      return was ? "nudged" : "quiet";
    },
  };
}
