import { expect, test } from "bun:test";
import { silentLog } from "../../kit/base/system-log.ts";
import { createRegistry } from "../../kit/telemetry/metrics.ts";
import { type HostReading, watchHost } from "./host-watch.ts";

test("a machine short of disk or memory, and processes killed for want of it, are said once each, here and to the control plane", async () => {
  const readings: HostReading[] = [
    { diskFree: 500, memoryAvailable: 500, oomKills: 3 },
    { diskFree: 500, memoryAvailable: 500, oomKills: 3 },
    { diskFree: 99, memoryAvailable: 500, oomKills: 3 },
    { diskFree: 98, memoryAvailable: 10, oomKills: 5 },
    { diskFree: 105, memoryAvailable: 10, oomKills: 5 },
    { diskFree: 200, memoryAvailable: null, oomKills: 5 },
  ];
  const stop = new AbortController();
  const said: string[] = [];
  const log = {
    ...silentLog,
    warn: (text: string) => void said.push(text),
    error: (text: string, fields?: object) => void said.push(`${text} ${JSON.stringify(fields)}`),
    info: (text: string) => void said.push(text),
  };
  const told: string[] = [];
  const registry = createRegistry();
  let at = 0;
  await watchHost({
    folders: [],
    low: { disk: 100, memory: 100 },
    registry,
    log,
    tell: ({ what, why }) => void told.push(`${what}: ${why}`),
    signal: stop.signal,
    read: () =>
      readings[Math.min(at, readings.length - 1)] ?? { diskFree: null, memoryAvailable: null, oomKills: null },
    clock: {
      now: () => 0,
      monotonic: () => 0,
      sleep: async () => {
        at++;
        if (at >= readings.length) stop.abort();
      },
    },
  });
  expect(said).toEqual([
    "the machine is short of disk space",
    "the machine is short of memory",
    expect.stringContaining('ended processes for want of memory {"processes":2'),
    "the machine has enough disk space again",
  ]);
  expect(told).toEqual([
    "disk-low: 0 MiB of disk space are left, the limit is 0 MiB. Remove old files, or enlarge the disk.",
    expect.stringContaining("memory-low: 0 MiB of memory are left"),
    "oom-kill: the kernel ended 2 processes for want of memory",
    "disk-enough: 0 MiB of disk space are left, the limit is 0 MiB",
  ]);
  expect(registry.text()).toContain("runner_host_disk_free_bytes 200\n");
  expect(registry.text()).toContain("runner_host_oom_kills 5\n");
});

test("this machine's own figures can be read", async () => {
  const stop = new AbortController();
  const registry = createRegistry();
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => stop.abort() };
  const low = { disk: 0, memory: 0 };
  await watchHost({ folders: ["/"], low, registry, log: silentLog, tell: () => {}, signal: stop.signal, clock });
  const figures = process.platform === "linux" ? ["disk_free_bytes", "memory_available_bytes", "oom_kills"] : [];
  for (const name of figures) expect(registry.text()).toMatch(new RegExp(`^runner_host_${name} \\d+$`, "m"));
});
