import type { Clock } from "../../../kit/base/clock.ts";
import type { SystemLog } from "../../../kit/base/system-log.ts";
import type { OutcomeStatus } from "../../../protocol/enums.ts";
import type { NuonClient } from "./client.ts";

/** How often the figures go out, in milliseconds. */
const REPORT_MS = 60_000;

interface Figures {
  readonly running: number;
  readonly ended: ReadonlyMap<OutcomeStatus, number>;
  /** Wall clock, ms: from then on this runner counts as alive, and its sums count. */
  readonly since: number;
  /** Wall clock, ms. */
  readonly now: number;
}

interface Means {
  readonly api: NuonClient;
  readonly runnerId: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: SystemLog;
  /** settings.enable_metrics as it is now; absent means false on the wire. */
  readonly wanted: () => boolean;
  readonly figures: () => Omit<Figures, "now">;
}

/** The runner's own figures for the server, once a minute while its settings ask for them, until `signal` or a refusal. */
export async function reportMetrics(means: Means, signal: AbortSignal): Promise<void> {
  const { api, runnerId, version, clock, log, wanted, figures } = means;
  for (;;) {
    await clock.sleep(REPORT_MS, signal);
    if (signal.aborted) return;
    if (!wanted()) continue;
    const json = metricsOf({ ...figures(), now: clock.now() }, { runnerId, version });
    const sent = await api.call("RunnerOtelWriteMetrics", {
      path: { runner_id: runnerId },
      json,
      tag: "metrics",
      signal,
    });
    if (sent.ok || sent.error.retryable || signal.aborted) continue;
    return log.warn("the control plane refuses the runner's metrics; none are sent any more", {
      why: sent.error.message,
    });
  }
}

/** OTLP JSON. One resource, and one point per metric: the real server looks at no other (nuon-runner-api.md 8.5). */
function metricsOf(
  { running, ended, since, now }: Figures,
  about: { readonly runnerId: string; readonly version: string },
) {
  const [timeUnixNano, startTimeUnixNano] = [nanos(now), nanos(since)];
  const gauge = (name: string, unit: string, asDouble: number) => ({
    name,
    unit,
    gauge: { dataPoints: [{ timeUnixNano, asDouble }] },
  });
  const sum = ([status, count]: readonly [OutcomeStatus, number]) => ({
    name: `runner.jobs.${status}`,
    unit: "1",
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{ startTimeUnixNano, timeUnixNano, asInt: String(count) }],
    },
  });
  const metrics = [
    gauge("runner.alive_time", "s", Math.max(0, now - since) / 1_000),
    gauge("runner.jobs.running", "1", running),
    ...[...ended].map(sum),
  ];
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const attributes = [
    text("service.name", "runner"),
    text("runner.id", about.runnerId),
    text("runner.version", about.version),
  ];
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ scope: { name: "runner" }, metrics }] }] };
}

const nanos = (ms: number): string => String(BigInt(Math.round(ms)) * 1_000_000n);
