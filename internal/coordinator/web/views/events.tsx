import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { EventDoc } from "../../../protocol/operator.ts";
import { lists, paths } from "../api/operations.ts";
import { EVENTS_PAGE, type EventFilter } from "../api/timeline.ts";
import { count } from "../format.ts";
import { useQuery, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Empty, Problem } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { Link, navigate, place, urls } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { useTitle } from "../title.ts";
import { EventFilters } from "./event-filters.tsx";
import { EventRow } from "./event-row.tsx";
import { type EventPlace, type EventsQuery, useEvents } from "./use-events.ts";

/** The timeline of everything: live at its end, page by page into the past. Filter and place are the address. */
export function EventsView(): JSX.Element {
  useTitle("Events");
  const { query } = useStore(place);
  const filter = filterOf(query);
  const at = placeOf(query);
  const events = useEvents(filter, at);
  const runners = useQuery(paths.runners, lists.runners, {
    refreshOn: (event) => event.what.startsWith("runner-"),
    everyMs: 60_000,
  });
  const names = new Map((runners.data ?? []).map((runner) => [runner.id, runner.name]));
  const search = useRef<HTMLInputElement>(null);
  useShortcuts("Events", [{ key: "/", does: "Filter by what they are about", run: () => search.current?.focus() }]);
  const filtered = (change: Partial<EventFilter>) => urls.events({ ...filter, ...change });
  return (
    <section aria-labelledby="title">
      <div class="view-head">
        <h1 id="title">Events</h1>
        <LiveState events={events} place={at} filter={filter} />
      </div>
      <EventFilters
        filter={filter}
        field={search}
        runners={names}
        onChange={(change) => navigate(filtered(change))}
        clear={urls.events()}
      />
      {events.error && events.error.kind !== "unreachable" ? <Problem error={events.error} /> : null}
      {events.events === null ? (
        <p class="quiet">{events.error ? "Nothing could be read." : "Loading events…"}</p>
      ) : events.events.length === 0 ? (
        <NoEvents filter={filter} />
      ) : (
        <>
          <EventTable events={events.events} runners={names} filtered={filtered} />
          <Pages events={events.events} place={at} filter={filter} />
        </>
      )}
    </section>
  );
}

const filterOf = (query: URLSearchParams): EventFilter => ({
  subject: query.get("subject") ?? "",
  what: query.get("what") ?? "",
  by: query.get("by") ?? "",
});

function placeOf(query: URLSearchParams): EventPlace {
  for (const at of ["before", "after"] as const) {
    const seq = query.get(at);
    if (seq !== null && /^\d{1,15}$/.test(seq)) return { at, seq };
  }
  return { at: "live" };
}

interface LiveStateProps {
  readonly events: EventsQuery;
  readonly place: EventPlace;
  readonly filter: EventFilter;
}

/** Whether the list moves; it can be held, so that nothing slips away while it is read. */
function LiveState({ events, place: at, filter }: LiveStateProps): JSX.Element {
  const [held, setHeld] = useState(false);
  const waiting = useStore(events.feed.held);
  useEffect(() => setHeld(false), [events.feed]);
  const toggle = () => {
    events.feed.hold(!held);
    setHeld(!held);
  };
  useShortcuts("Live", at.at === "live" ? [{ key: "p", does: held ? "Resume" : "Pause", run: toggle }] : []);
  if (at.at !== "live") {
    return (
      <Link to={urls.events({ ...filter })} class="button">
        Back to now
      </Link>
    );
  }
  return (
    <div class="actions live-state">
      <Badge tone={held ? "warn" : "ok"} label={held ? "paused" : "live"} />
      {held && waiting > 0 ? <span class="faint">{count(waiting, "new event")}</span> : null}
      <button type="button" class="button" onClick={toggle}>
        {held ? "Resume" : "Pause"}
      </button>
    </div>
  );
}

interface TableProps {
  readonly events: readonly EventDoc[];
  readonly runners: ReadonlyMap<string, string>;
  readonly filtered: (change: Partial<EventFilter>) => string;
}

function EventTable({ events, runners, filtered }: TableProps): JSX.Element {
  return (
    <table class="list events">
      <TableHead columns={["Time", "What", "About", "By", "Why"]} />
      {byDay(events).map(({ day, events: ofDay }) => (
        <tbody key={day}>
          <tr class="day">
            <th scope="rowgroup" colSpan={5}>
              {day}
            </th>
          </tr>
          {ofDay.map((event) => (
            <EventRow key={event.seq} event={event} runners={runners} filtered={filtered} />
          ))}
        </tbody>
      ))}
    </table>
  );
}

/** In the order they come; a day is that of the person who reads. */
function byDay(events: readonly EventDoc[]): readonly { readonly day: string; readonly events: EventDoc[] }[] {
  const days = new Map<string, EventDoc[]>();
  for (const event of events) {
    const day = new Date(event.at).toLocaleDateString(undefined, {
      weekday: "long",
      year: "numeric",
      month: "long",
      day: "numeric",
    });
    const known = days.get(day);
    if (known) known.push(event);
    else days.set(day, [event]);
  }
  return [...days].map(([day, ofDay]) => ({ day, events: ofDay }));
}

interface PagesProps {
  readonly events: readonly EventDoc[];
  readonly place: EventPlace;
  readonly filter: EventFilter;
}

/** Neighbouring pages by seq: a page that was sent to somebody shows the same events for ever. */
function Pages({ events, place: at, filter }: PagesProps): JSX.Element {
  const [newest, oldest] = [events[0]?.seq ?? 0, events.at(-1)?.seq ?? 0];
  return (
    <nav class="pages" aria-label="Pages of the timeline">
      {at.at === "live" ? null : (
        <Link to={urls.events({ ...filter, after: String(newest) })} class="button">
          Newer
        </Link>
      )}
      {events.length < EVENTS_PAGE && at.at !== "after" ? (
        <span class="faint">This is the beginning.</span>
      ) : (
        <Link to={urls.events({ ...filter, before: String(oldest) })} class="button">
          Older
        </Link>
      )}
    </nav>
  );
}

function NoEvents({ filter }: { readonly filter: EventFilter }): JSX.Element {
  const isFiltered = Object.values(filter).some((value) => value !== "");
  if (!isFiltered) {
    return (
      <Empty title="Nothing has happened yet">
        <p>Everything that a person, a runner or the coordinator does is told here: submit a job to see it.</p>
      </Empty>
    );
  }
  return (
    <Empty title="No event fits">
      <p>
        Nothing of this kind is on this page of the timeline. <Link to={urls.events()}>Clear the filters</Link> to see
        everything.
      </p>
    </Empty>
  );
}
