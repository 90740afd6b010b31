import type { Registry } from "./metrics.ts";

/** Build and memory of this process, in the names that dashboards know. */
export function processMetrics(
  registry: Registry,
  prefix: string,
  facts: () => Readonly<Record<string, string>>,
): void {
  registry.gauge(`${prefix}_build_info`, "What runs here; always 1.", () => [[facts(), 1]]);
  registry.gauge("process_resident_memory_bytes", "Resident memory of this process.", () => [
    [{}, process.memoryUsage.rss()],
  ]);
  registry.counted("process_cpu_seconds_total", "Processor time of this process.", () => {
    const { user, system } = process.cpuUsage();
    return [[{}, (user + system) / 1e6]];
  });
  const startedAt = Math.round(Date.now() / 1000 - process.uptime());
  registry.gauge("process_start_time_seconds", "Start of this process, seconds since the epoch.", () => [
    [{}, startedAt],
  ]);
}
