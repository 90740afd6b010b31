import type { Clock } from "../../../kit/base/clock.ts";
import type { HttpFailure } from "../../../kit/http/failure.ts";
import type { Result } from "../../../protocol/errors.ts";

/** One write; `signal` ends its retries, not the try that is on the wire. */
export type Send = (signal: AbortSignal) => Promise<Result<unknown, HttpFailure>>;

interface Item {
  readonly key: string;
  readonly send: Send;
  /** The next one with the same key makes this one obsolete. */
  readonly retries: AbortController;
  readonly delivered: PromiseWithResolvers<void>;
}

export interface Outbox {
  /** Queue a write. Resolves when it is delivered or given up, or after `patienceMs`: the work does not wait for reports. */
  put(key: string, send: Send, patienceMs: number): Promise<void>;
  /** No more statuses: drop those that wait, deliver the rest. Resolves when nothing is under way any more. */
  close(droppable: (key: string) => boolean, signal: AbortSignal): Promise<void>;
}

/** Writes about one execution, one at a time and in order, so that none arrives after one that came later. */
export function createOutbox(clock: Clock): Outbox {
  const waiting: Item[] = [];
  let current: Item | null = null;
  let running: Promise<void> = Promise.resolve();
  let closed = false;

  const drop = (obsolete: (key: string) => boolean) => {
    if (current && obsolete(current.key)) current.retries.abort();
    for (const item of waiting.filter((one) => obsolete(one.key))) {
      waiting.splice(waiting.indexOf(item), 1);
      item.delivered.resolve();
    }
  };

  const work = async (): Promise<void> => {
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      current = item;
      await item.send(item.retries.signal);
      current = null;
      item.delivered.resolve();
    }
  };

  return {
    async put(key, send, patienceMs) {
      if (closed) return;
      drop((other) => other === key);
      const item = { key, send, retries: new AbortController(), delivered: Promise.withResolvers<void>() };
      waiting.push(item);
      running = running.then(work);
      const waited = new AbortController();
      await Promise.race([item.delivered.promise, clock.sleep(patienceMs, waited.signal)]);
      waited.abort();
    },

    async close(droppable, signal) {
      closed = true;
      drop(droppable);
      const giveUp = () => drop(() => true);
      if (signal.aborted) giveUp();
      signal.addEventListener("abort", giveUp, { once: true });
      await running;
      signal.removeEventListener("abort", giveUp);
    },
  };
}
