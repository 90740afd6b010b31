import type { EventDoc } from "../../protocol/operator.ts";
import { EVENTS_PAGE, type EventFilter } from "./api/timeline.ts";
import { createStore, type Store } from "./store.ts";

/** Rows at the live end: what falls off is on the page of older events. */
export const LIVE_ROWS = 200;

/** Events of one page, each once, newest first, however they came: by a read, by the stream, or by both. */
export interface Feed {
  /** null until something came. */
  readonly shown: Store<readonly EventDoc[] | null>;
  /** How many came while it was held. */
  readonly held: Store<number>;
  /** Events of the stream; those that the filter does not take are left out. */
  add(events: readonly EventDoc[]): void;
  /** A page that was read. Of the live end: when it does not reach back to what is known, it takes its place. */
  read(page: readonly EventDoc[]): void;
  /** While held, nothing moves under the eyes of the reader; what comes is kept aside. */
  hold(on: boolean): void;
}

/** `live`: the end of the timeline, of which the newest rows are kept; otherwise one page of history. */
export function createFeed(filter: EventFilter, live: boolean): Feed {
  const shown = createStore<readonly EventDoc[] | null>(null);
  const held = createStore(0);
  const isWanted = wanted(filter);
  let aside: readonly EventDoc[] = [];
  let holding = false;
  /** What is kept aside does not reach back to what is shown. */
  let apart = false;

  const newest = (): number => Math.max(shown.get()?.[0]?.seq ?? 0, aside[0]?.seq ?? 0);
  const take = (events: readonly EventDoc[], gap: boolean) => {
    if (!holding) return shown.set(merged(gap ? [] : (shown.get() ?? []), events, live).kept);
    const known = new Set([...(shown.get() ?? []), ...aside].map((event) => event.seq));
    held.set(held.get() + events.filter((event) => !known.has(event.seq)).length);
    const { kept, dropped } = merged(gap ? [] : aside, events, live);
    aside = kept;
    apart ||= gap || dropped;
  };

  return {
    shown,
    held,
    add: (events) => take(events.filter(isWanted), false),
    read(page) {
      const oldest = Math.min(...page.map((event) => event.seq));
      take(page, live && page.length >= EVENTS_PAGE && oldest > newest());
    },
    hold(on) {
      holding = on;
      if (on) return;
      shown.set(merged(apart ? [] : (shown.get() ?? []), aside, live).kept);
      aside = [];
      apart = false;
      held.set(0);
    },
  };
}

function merged(known: readonly EventDoc[], more: readonly EventDoc[], bounded: boolean) {
  const bySeq = new Map([...known, ...more].map((event) => [event.seq, event]));
  const sorted = [...bySeq.values()].sort((a, b) => b.seq - a.seq);
  const kept = bounded ? sorted.slice(0, LIVE_ROWS) : sorted;
  return { kept, dropped: kept.length < sorted.length };
}

/** The filter of the API, for events that come by the stream. */
function wanted({ subject, what, by }: EventFilter): (event: EventDoc) => boolean {
  const fits = (value: string, given: string) =>
    given === "" || (given.endsWith(":") ? value.startsWith(given) : value === given);
  return (event) =>
    fits(event.what, what) &&
    fits(event.by, by) &&
    (subject === "" || [event.job_id, event.change_id, event.runner_id, event.execution_id].includes(subject));
}
