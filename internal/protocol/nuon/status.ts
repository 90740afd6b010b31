import { z } from "zod";
import { anyObject, bool, int, laterList, rowFields, str, stringMap, word } from "./base.ts";
import { COMPOSITE_STATUSES } from "./words.ts";

/** Log stream (nuon-runner-api.md 4.5): where the log of a job goes. */
export const logStream = z.looseObject({
  ...rowFields,
  owner_id: str,
  owner_type: str,
  open: bool,
  attrs: stringMap,
  write_token: str,
  runner_api_url: str,
});

/** Composite status; earlier ones in `history`. */
export const compositeStatus = z.looseObject({
  created_by_id: str,
  /** Seconds since the epoch. */
  created_at_ts: int,
  status: word(COMPOSITE_STATUSES),
  status_human_description: str,
  metadata: anyObject.nullish(),
  history: laterList((): z.core.SomeType => compositeStatus),
});
