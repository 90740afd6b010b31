import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { EventDoc } from "../../../protocol/operator.ts";
import { actorWords, eventLook } from "../event-look.ts";
import { absoluteTime, clockTime, count } from "../format.ts";
import { Glyph } from "../parts/badge.tsx";

/** Older events are behind a button once there are more. */
const SHOWN = 30;

/** What happened, in order, with who did it and why. */
export function Timeline({ events }: { readonly events: readonly EventDoc[] }): JSX.Element {
  const [all, setAll] = useState(false);
  const hidden = all ? 0 : Math.max(0, events.length - SHOWN);
  return (
    <section class="side-part" aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      {hidden > 0 ? (
        <button type="button" class="button small" onClick={() => setAll(true)}>
          Show {count(hidden, "earlier event")}
        </button>
      ) : null}
      <ol class="timeline">
        {events.slice(hidden).map((event) => (
          <Item key={event.seq} event={event} />
        ))}
      </ol>
    </section>
  );
}

function Item({ event }: { readonly event: EventDoc }): JSX.Element {
  const look = eventLook(event);
  return (
    <li>
      <Glyph tone={look.tone} />
      <time dateTime={event.at} title={absoluteTime(event.at)}>
        {clockTime(event.at)}
      </time>
      <div title={event.why}>
        <span class="what">{look.label}</span>{" "}
        <span class="faint" title={event.by}>
          {actorWords(event.by)}
        </span>
        {look.detail === "" ? null : <div class="sub">{look.detail}</div>}
      </div>
    </li>
  );
}
