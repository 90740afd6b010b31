import { otelWanted } from "../../internal/kit/telemetry/otel-wanted.ts";
import type { Telemetry } from "../../internal/kit/telemetry/telemetry.ts";
import type { Context } from "./context.ts";

/** How long the end of the process waits for the last spans and numbers. */
export const TELEMETRY_END_MS = 5_000;

/** Traces and metrics for a collector, as the standard OTEL_ variables say; null, and nothing loaded, when they do not. */
export async function telemetryFor(
  { env, version, log }: Pick<Context, "env" | "version" | "log">,
  service: "runner" | "runner-coordinator",
  resource: Readonly<Record<string, string>> = {},
): Promise<Telemetry | null> {
  if (!otelWanted(env)) return null;
  const { openTelemetry } = await import("../../internal/kit/telemetry/telemetry.ts");
  return openTelemetry({ env, service, version, resource, log });
}
