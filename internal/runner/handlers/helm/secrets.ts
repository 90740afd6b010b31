import { secretValues } from "../../../kit/diff/index.ts";
import type { JobContext } from "../../handler.ts";
import type { HelmWork } from "./helm-work.ts";
import type { Rendering } from "./rendering.ts";

/** Values of rendered Secrets must not show in what helm or we say from now on. */
export function registerSecrets(ctx: JobContext<unknown>, { objects, hooks }: Rendering): void {
  for (const object of [...objects, ...hooks]) ctx.secrets.register(...secretValues(object.body));
}

/** Single values that the submission named secret. */
export function registerNamedValues(ctx: JobContext<unknown>, work: HelmWork): void {
  const named = work.values.filter(({ name }) => ctx.options.sensitive_vars.includes(name));
  ctx.secrets.register(...named.map(({ value }) => value));
}
