import { openStream } from "../../../kit/sse/stream.ts";
import { type EventDoc, eventDoc } from "../../../protocol/operator.ts";
import { createStore, type Store } from "../store.ts";
import type { ApiClient } from "./client.ts";
import { paths } from "./operations.ts";

/** What tells every view that something changed. Events are hints to read again, never the truth themselves. */
export interface Live {
  subscribe(listener: (event: EventDoc) => void): () => void;
  /** Called when a stream came back: whatever happened meanwhile may have been missed. */
  onReconnect(listener: () => void): () => void;
  readonly connection: Connection;
  /** Tries what is broken again now, instead of at the end of the wait. */
  retry(): void;
  close(): void;
}

/** Which of the page's connections are broken; the banner shows as long as there is one. */
export interface Connection {
  readonly lost: Store<boolean>;
  report(source: string, lost: boolean): void;
}

export function createConnection(): Connection {
  const broken = new Set<string>();
  const lost = createStore(false);
  return {
    lost,
    report(source, isLost) {
      if (isLost) broken.add(source);
      else broken.delete(source);
      lost.set(broken.size > 0);
    },
  };
}

export function createLive(api: ApiClient): Live {
  const listeners = new Set<(event: EventDoc) => void>();
  const returns = new Set<() => void>();
  const connection = createConnection();
  let wasLost = false;

  const stream = openStream({
    api,
    path: paths.events,
    lastId: "",
    endsOnClose: () => false,
    onMessage(message) {
      const event = parseEvent(message.data);
      if (event) for (const listener of [...listeners]) listener(event);
    },
    onState(state) {
      connection.report("events", state === "lost");
      if (state === "lost") wasLost = true;
      if (state !== "open" || !wasLost) return;
      wasLost = false;
      for (const listener of [...returns]) listener();
    },
  });
  const nudge = () => stream.nudge();
  const retry = () => {
    stream.nudge();
    for (const listener of [...returns]) listener();
  };
  window.addEventListener("online", nudge);

  return {
    connection,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onReconnect(listener) {
      returns.add(listener);
      return () => returns.delete(listener);
    },
    retry,
    close() {
      window.removeEventListener("online", nudge);
      stream.close();
    },
  };
}

function parseEvent(data: string): EventDoc | null {
  try {
    const parsed = eventDoc.safeParse(JSON.parse(data));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
