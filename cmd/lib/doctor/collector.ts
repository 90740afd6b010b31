import { systemClock } from "../../../internal/kit/base/clock.ts";
import type { OtlpTarget } from "../../../internal/kit/telemetry/otel-settings.ts";
import { otelWanted } from "../../../internal/kit/telemetry/otel-wanted.ts";
import { reasonOf } from "../../../internal/protocol/errors.ts";
import { type Finding, findings } from "./finding.ts";

/** One try: what may be repeated is repeated after a second at the earliest. */
const ANSWER_MS = 900;
const REMEDY = "Is it running? Check OTEL_EXPORTER_OTLP_ENDPOINT and its headers; work goes on without it.";

/** The collector of the standard OTEL_ variables: asked with a request that holds nothing. */
export async function checkCollector(env: Readonly<Record<string, string | undefined>>): Promise<Finding[]> {
  const say = findings("collector");
  if (!otelWanted(env)) return [say.ok("none: no OTEL_EXPORTER_OTLP_ENDPOINT")];
  const { otelSettings } = await import("../../../internal/kit/telemetry/otel-settings.ts");
  const { traces, metrics, warnings } = otelSettings(env);
  const told = warnings.map((text) => say.warning(text, "Correct the variable."));
  const wanted = Object.entries({ traces, metrics }).flatMap(([what, target]) => (target ? [{ what, target }] : []));
  return [...told, ...(await Promise.all(wanted.map(({ what, target }) => asked(what, target))))];
}

async function asked(what: string, target: OtlpTarget): Promise<Finding> {
  const say = findings("collector");
  try {
    const { createSender } = await import("../../../internal/kit/telemetry/otlp-sender.ts");
    const sender = createSender(target, { clock: systemClock });
    const empty = new TextEncoder().encode(target.encoding === "json" ? "{}" : "");
    const sent = await sender.send(empty, ANSWER_MS, new AbortController().signal);
    if (sent.ok) return say.ok(`${what}: ${sender.peer} answers`);
    return say.warning(`${what}: ${sender.peer}: ${sent.why}`, REMEDY);
  } catch (error) {
    return say.warning(`${what}: ${reasonOf(error)}`, "Check OTEL_EXPORTER_OTLP_CERTIFICATE and its like.");
  }
}
