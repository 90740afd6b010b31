import { CHANGE_STATUSES, JOB_STATUSES, STEP_STATUSES } from "../../protocol/enums.ts";
import type { EventDoc } from "../../protocol/operator.ts";
import { jobLook, reasonWords, stepLook, type Tone } from "./status.ts";

/** How one event of the timeline is shown. */
export interface EventLook {
  readonly tone: Tone;
  readonly label: string;
  readonly detail: string;
}

const STATUSES = [...JOB_STATUSES, ...CHANGE_STATUSES];

/** Of what runners tell of themselves. */
const RUNNER_TONES: Readonly<Record<string, Tone>> = {
  updated: "ok",
  "update-rolled-back": "bad",
  "update-failed": "bad",
  "disk-low": "warn",
  "memory-low": "warn",
  "oom-kill": "bad",
};

/** An event in words, with the tone of what it tells. */
export function eventLook({ what, why }: Pick<EventDoc, "what" | "why">): EventLook {
  if (what.startsWith("step:")) return stepEvent(what.slice("step:".length), why);
  if (what.startsWith("refused:")) {
    return { tone: "warn", label: `refused: ${what.slice("refused:".length)}`, detail: why };
  }
  // The id of a lock fills two lines and says nothing here; it is there on hover.
  if (what === "locked" || what === "unlocked")
    return { tone: "info", label: what, detail: why.replace(/, lock .*$/, "") };
  const status = STATUSES.find((one) => one === what);
  if (status === undefined)
    return { tone: RUNNER_TONES[what] ?? "info", label: what.replaceAll("-", " "), detail: why };
  const { tone, label } = jobLook(status);
  return { tone: past(tone), label, detail: reasonWords(why) };
}

/** `why` of a step's event is its status. */
function stepEvent(name: string, why: string): EventLook {
  const status = STEP_STATUSES.find((one) => one === why);
  if (status === undefined) return { tone: "info", label: `step ${name}`, detail: why };
  const { tone, label } = stepLook(status);
  return { tone: past(tone), label: `step ${name} ${label}`, detail: "" };
}

/** What is in the timeline has happened: nothing in it is going on. */
const past = (tone: Tone): Tone => (tone === "live" ? "info" : tone);

/** The id of a runner is too long for a line; it is there on hover. */
export const actorWords = (by: string): string => (by.startsWith("runner:") ? "runner" : by);
