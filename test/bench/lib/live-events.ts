import { readSse } from "../../lib/sse-reader.ts";

interface SeenEvent {
  /** When it was read from the stream, by `performance.now()` of this process. */
  readonly seenAt: number;
  readonly what: string;
  readonly why?: string;
}

/** Who has an event stream. */
export interface Watched {
  open(): Promise<Response>;
}

/** An event stream that is open all the time, so that nothing is asked for while something is measured. */
export interface LiveEvents {
  /** The event `what` of a job or change, once it comes. */
  of(id: string, what: string): Promise<SeenEvent>;
  close(): Promise<void>;
}

/** Keeps every event until it is asked for: only for benchmarks of few jobs. */
export async function liveEvents(watched: Watched): Promise<LiveEvents> {
  const reader = readSse(await watched.open());
  const seen = new Map<string, SeenEvent>();
  const waiting = new Map<string, (event: SeenEvent) => void>();
  const pump = async () => {
    for (let message = await reader.next(); message !== null; message = await reader.next()) {
      const seenAt = performance.now();
      const event = JSON.parse(message.data);
      // A change has jobs of its own: only what is said about itself counts for its id.
      const key = `${event.job_id ?? event.change_id} ${event.what}`;
      seen.set(key, { seenAt, what: event.what, why: event.why });
      waiting.get(key)?.({ seenAt, what: event.what, why: event.why });
      waiting.delete(key);
    }
  };
  // The stream is cut when its server ends.
  void pump().catch(() => {});
  return {
    of: (id, what) => {
      const key = `${id} ${what}`;
      const known = seen.get(key);
      if (known) return Promise.resolve(known);
      return new Promise((resolve) => waiting.set(key, resolve));
    },
    close: () => reader.close(),
  };
}
