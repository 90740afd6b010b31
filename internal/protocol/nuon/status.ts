import { z } from "zod";
import { anyObject, bool, int, rowFields, str, stringMap } from "./base.ts";

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

/** Composite status; earlier ones in `history`, which hold no history of their own. */
const statusFields = {
  created_by_id: str,
  created_at_ts: int,
  status: str,
  status_human_description: str,
  metadata: anyObject.nullish(),
};
export const compositeStatus = z.looseObject({
  ...statusFields,
  history: z.array(z.looseObject({ ...statusFields, history: z.array(anyObject).nullish() })).nullish(),
});
