import type { JobType } from "../../protocol/enums.ts";
import type { Handler } from "../handler.ts";

/** The handler of a job type. One that this version does not know is refused by its name, as the types of later versions are. */
export function handlerFor(handlers: Readonly<Record<JobType, Handler>>, type: string): Handler {
  return Object.hasOwn(handlers, type) ? handlers[type as JobType] : handlers["runner-local"];
}
