import { useEffect, useMemo, useState } from "preact/hooks";
import type { RunnerError } from "../../../protocol/errors.ts";
import type { EventDoc } from "../../../protocol/operator.ts";
import { type EventFilter, eventList, eventsPath } from "../api/timeline.ts";
import { useSession } from "../context.ts";
import { createFeed, type Feed } from "../event-feed.ts";
import { useStore } from "../hooks.ts";

/** Where in the history the view stands; `live`: at its end, and what happens is added. */
export type EventPlace = { readonly at: "live" } | { readonly at: "before" | "after"; readonly seq: string };

export interface EventsQuery {
  readonly feed: Feed;
  /** Newest first; null before the first answer. */
  readonly events: readonly EventDoc[] | null;
  readonly error: RunnerError | null;
  reload(): void;
}

/**
 * One page of the timeline. At the live end it grows by the stream of this tab, which goes on behind its last event
 * after a cut; the newest page is read then as well, so that nothing is missing and nothing stands there twice.
 */
export function useEvents(filter: EventFilter, place: EventPlace): EventsQuery {
  const { api, live } = useSession();
  const [error, setError] = useState<RunnerError | null>(null);
  const [round, setRound] = useState(0);
  const seq = place.at === "live" ? "" : place.seq;
  const feed = useMemo(
    () => createFeed(filter, place.at === "live"),
    [filter.subject, filter.what, filter.by, place.at, seq],
  );

  useEffect(() => {
    const ending = new AbortController();
    const source = `events ${place.at}`;
    const read = async () => {
      const page = place.at === "live" ? {} : { [place.at]: place.seq };
      const answer = await api.get(eventsPath(filter, page), eventList, ending.signal);
      if (ending.signal.aborted) return;
      live.connection.report(source, !answer.ok && answer.error.kind === "unreachable");
      setError(answer.ok ? null : answer.error);
      if (answer.ok) feed.read(answer.value);
    };
    const stops = [
      live.subscribe((event) => place.at === "live" && feed.add([event])),
      live.onReconnect(() => void read()),
    ];
    void read();
    return () => {
      ending.abort();
      live.connection.report(source, false);
      for (const stop of stops) stop();
    };
  }, [api, live, feed, round]);

  const events = useStore(feed.shown);
  return { feed, events, error, reload: () => setRound((n) => n + 1) };
}
