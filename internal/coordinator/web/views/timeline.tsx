import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { CHANGE_STATUSES, JOB_STATUSES, STEP_STATUSES } from "../../../protocol/enums.ts";
import type { EventDoc } from "../../../protocol/operator.ts";
import { absoluteTime, clockTime, count } from "../format.ts";
import { Glyph } from "../parts/badge.tsx";
import { jobLook, reasonWords, stepLook, type Tone } from "../status.ts";

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
  const look = lookOf(event);
  return (
    <li>
      <Glyph tone={look.tone} />
      <time dateTime={event.at} title={absoluteTime(event.at)}>
        {clockTime(event.at)}
      </time>
      <div title={event.why}>
        <span class="what">{look.label}</span>{" "}
        <span class="faint" title={event.by}>
          {actor(event.by)}
        </span>
        {look.detail === "" ? null : <div class="sub">{look.detail}</div>}
      </div>
    </li>
  );
}

interface Look {
  readonly tone: Tone;
  readonly label: string;
  readonly detail: string;
}

const STATUSES = [...JOB_STATUSES, ...CHANGE_STATUSES];

function lookOf({ what, why }: EventDoc): Look {
  if (what.startsWith("step:")) return stepEvent(what.slice("step:".length), why);
  if (what.startsWith("refused:")) {
    return { tone: "warn", label: `refused: ${what.slice("refused:".length)}`, detail: why };
  }
  // The id of a lock fills two lines and says nothing here; it is there on hover.
  if (what === "locked" || what === "unlocked")
    return { tone: "info", label: what, detail: why.replace(/, lock .*$/, "") };
  const status = STATUSES.find((one) => one === what);
  if (status === undefined) return { tone: "info", label: what.replaceAll("-", " "), detail: why };
  const { tone, label } = jobLook(status);
  return { tone: past(tone), label, detail: reasonWords(why) };
}

/** `why` of a step's event is its status. */
function stepEvent(name: string, why: string): Look {
  const status = STEP_STATUSES.find((one) => one === why);
  if (status === undefined) return { tone: "info", label: `step ${name}`, detail: why };
  const { tone, label } = stepLook(status);
  return { tone: past(tone), label: `step ${name} ${label}`, detail: "" };
}

/** What is in the timeline has happened: nothing in it is going on. */
const past = (tone: Tone): Tone => (tone === "live" ? "info" : tone);

/** The id of a runner is too long for a line; it is there on hover. */
const actor = (by: string): string => (by.startsWith("runner:") ? "runner" : by);
