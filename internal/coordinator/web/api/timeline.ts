import { z } from "zod";
import { eventDoc } from "../../../protocol/operator.ts";

/** Events shown at once; older and newer ones are pages of their own. */
export const EVENTS_PAGE = 100;

/** What of the timeline is looked at; empty: everything. The same words as in the address and in the API. */
export interface EventFilter {
  /** Id of a job, change, runner or execution. */
  readonly subject: string;
  /** Name of what happened; `step:` and the like take all that begins so. */
  readonly what: string;
  readonly by: string;
}

export const eventList = z.array(eventDoc);

/** One page: the newest, those ahead of a seq (newest first), or those behind one (oldest first). */
export function eventsPath(filter: EventFilter, page: { readonly before?: string; readonly after?: string }): string {
  const query = new URLSearchParams({ limit: String(EVENTS_PAGE) });
  if (page.after === undefined) query.set("order", "newest");
  for (const [name, value] of Object.entries({ ...page, ...filter })) {
    if (value !== undefined && value !== "") query.set(name, value);
  }
  return `/events?${query}`;
}
