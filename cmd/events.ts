import { z } from "zod";
import { EXIT } from "../internal/protocol/errors.ts";
import { eventDoc } from "../internal/protocol/operator.ts";
import type { Command } from "./lib/context.ts";
import { operatorFrom } from "./lib/operator-client.ts";
import { table } from "./lib/table.ts";

const LAST = 100;

/** `runner events [ABOUT]`: the end of the timeline, oldest first. */
export const events: Command = async ({ values, operands, out }) => {
  const about = operands[0] === undefined ? "" : `&subject=${encodeURIComponent(operands[0])}`;
  const newest = await operatorFrom(values).get(`/events?order=newest&limit=${LAST}${about}`, z.array(eventDoc));
  const found = newest.reverse();
  if (values.json) {
    out(JSON.stringify(found));
    return EXIT.done;
  }
  const rows = found.map(({ at, what, job_id, change_id, runner_id, by, why }) => [
    at,
    what,
    job_id ?? change_id ?? runner_id ?? "",
    by,
    why,
  ]);
  out(table(["at", "what", "about", "by", "why"], rows));
  return EXIT.done;
};
