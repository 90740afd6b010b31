import type { Clock } from "../base/clock.ts";
import type { CollectorLink } from "./collector-link.ts";
import type { OtelSettings } from "./otel-settings.ts";
import type { FinishedSpan } from "./tracer.ts";

export interface SpanQueue {
  /** Dropped, and counted, when the queue is full. */
  add(span: FinishedSpan): void;
  /** Sends what is there; gives up after `ms`, and what is left then is lost. No span is taken after it. */
  end(ms: number): Promise<void>;
}

export interface SpanQueueDeps {
  readonly batch: OtelSettings["batch"];
  readonly link: CollectorLink;
  readonly encode: (spans: readonly FinishedSpan[]) => Uint8Array;
  readonly clock: Clock;
}

/** Spans wait here for their batch: bounded, so that a collector that is away costs memory only up to a limit. */
export function createSpanQueue({ batch, link, encode, clock }: SpanQueueDeps): SpanQueue {
  const waiting: FinishedSpan[] = [];
  const over = new AbortController();
  const ended = Promise.withResolvers<void>();
  let hurry = new AbortController();
  let ending = false;
  let running: Promise<void> | null = null;

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      if (waiting.length < batch.size && !ending) await clock.sleep(batch.delayMs, hurry.signal);
      hurry = new AbortController();
      const spans = waiting.splice(0, batch.size);
      if (over.signal.aborted) link.overflowed(spans.length);
      else await link.deliver(encode(spans), spans.length, batch.timeoutMs, over.signal);
    }
    running = null;
    if (ending) ended.resolve();
  };

  return {
    add(span) {
      if (ending || waiting.length >= batch.queue) return link.overflowed(1);
      waiting.push(span);
      if (waiting.length >= batch.size) hurry.abort();
      running ??= run();
    },
    async end(ms) {
      ending = true;
      hurry.abort();
      if (running === null) return;
      const limit = new AbortController();
      void clock.sleep(ms, limit.signal).then(() => over.abort());
      await ended.promise;
      limit.abort();
    },
  };
}
