import type { AnyJobType } from "../../protocol/enums.ts";
import type { Handler, Handlers } from "../handler.ts";

/** The handler of a job type. One that this version does not know is refused by its name, as the types of later versions are. */
export function handlerFor(handlers: Handlers, type: string): Handler {
  const known = Object.hasOwn(handlers, type) ? handlers[type as AnyJobType] : undefined;
  return known ?? handlers["runner-local"];
}
