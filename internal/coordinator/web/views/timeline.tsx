import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { CHANGE_STATUSES, JOB_STATUSES } from "../../../protocol/enums.ts";
import type { EventDoc } from "../../../protocol/operator.ts";
import { absoluteTime, clockTime, count } from "../format.ts";
import { Glyph } from "../parts/badge.tsx";
import { jobLook, reasonWords, type Tone } from "../status.ts";

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
  const look = lookOf(event.what);
  return (
    <li>
      <Glyph tone={look.tone} />
      <time dateTime={event.at} title={absoluteTime(event.at)}>
        {clockTime(event.at)}
      </time>
      <div>
        <span class="what">{look.label}</span>{" "}
        <span class="faint" title={event.by}>
          {actor(event.by)}
        </span>
        {event.why === "" ? null : <div class="sub">{reasonWords(event.why)}</div>}
      </div>
    </li>
  );
}

const STATUSES = [...JOB_STATUSES, ...CHANGE_STATUSES];

function lookOf(what: string): { readonly tone: Tone; readonly label: string } {
  if (what.startsWith("step:")) return { tone: "info", label: `step ${what.slice("step:".length)}` };
  const status = STATUSES.find((one) => one === what);
  if (what.startsWith("refused:")) return { tone: "warn", label: `refused: ${what.slice("refused:".length)}` };
  return status ? jobLook(status) : { tone: "info", label: what.replaceAll("-", " ") };
}

/** The id of a runner is too long for a line; it is there on hover. */
const actor = (by: string): string => (by.startsWith("runner:") ? "runner" : by);
