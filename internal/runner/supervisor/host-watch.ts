import { readFileSync, statfsSync } from "node:fs";
import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import type { Registry } from "../../kit/telemetry/metrics.ts";
import type { RunnerEvent } from "../../protocol/native.ts";

const LOOK_MS = 15_000;

/** What the kernel says about the machine; null: it does not. */
export interface HostReading {
  readonly diskFree: number | null;
  readonly memoryAvailable: number | null;
  /** Processes the kernel ended for want of memory, since boot. */
  readonly oomKills: number | null;
}

export interface HostWatchDeps {
  /** The file systems that the runner writes to. */
  readonly folders: readonly string[];
  /** Bytes below which it is said. */
  readonly low: { readonly disk: number; readonly memory: number };
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: SystemLog;
  /** What is said in the log, for the control plane. */
  readonly tell: (event: RunnerEvent) => void;
  readonly signal: AbortSignal;
  readonly read?: () => HostReading;
}

/** Looks at disk, memory and OOM kills of the machine: figures for /metrics, a line in the log and word to the control plane when a limit is crossed. */
export async function watchHost(deps: HostWatchDeps): Promise<void> {
  const { registry, low, clock, log, signal, read = () => readHost(deps.folders) } = deps;
  const gauge = (name: string, help: string, value: (now: HostReading) => number | null) =>
    registry.gauge(name, help, () => {
      const found = value(read());
      return found === null ? [] : [[{}, found]];
    });
  gauge(
    "runner_host_disk_free_bytes",
    "Least free space of the file systems the runner writes to.",
    (now) => now.diskFree,
  );
  gauge("runner_host_memory_available_bytes", "Memory that programs can still get.", (now) => now.memoryAvailable);
  gauge("runner_host_oom_kills", "Processes the kernel ended for want of memory, since boot.", (now) => now.oomKills);
  const told = (what: RunnerEvent["what"], why: string) => deps.tell({ id: crypto.randomUUID(), what, why });
  const disk = limit(log, told, {
    name: "disk space",
    least: low.disk,
    remedy: "Remove old files, or enlarge the disk.",
    whats: ["disk-low", "disk-enough"],
  });
  const memory = limit(log, told, {
    name: "memory",
    least: low.memory,
    remedy: "Run fewer jobs at once (--concurrency), or enlarge the machine.",
    whats: ["memory-low", "memory-enough"],
  });
  let kills = read().oomKills;
  while (!signal.aborted) {
    const now = read();
    disk(now.diskFree);
    memory(now.memoryAvailable);
    if (now.oomKills !== null && kills !== null && now.oomKills > kills) {
      const processes = now.oomKills - kills;
      told("oom-kill", `the kernel ended ${processes} ${processes === 1 ? "process" : "processes"} for want of memory`);
      log.error("the kernel ended processes for want of memory", {
        processes,
        remedy: "`journalctl -k | grep -i 'killed process'` names them; limit jobs by `resources.memory`.",
      });
    }
    kills = now.oomKills;
    await clock.sleep(LOOK_MS, signal);
  }
}

interface Limit {
  readonly name: string;
  /** Bytes. */
  readonly least: number;
  readonly remedy: string;
  readonly whats: readonly [low: RunnerEvent["what"], enough: RunnerEvent["what"]];
}

const mebibytes = (bytes: number) => `${Math.floor(bytes / 1_048_576)} MiB`;

/** Says it once when it falls below, once when it is well above again. */
function limit(log: SystemLog, told: (what: RunnerEvent["what"], why: string) => void, of: Limit) {
  const { name, least, remedy, whats } = of;
  let low = false;
  return (now: number | null) => {
    if (now === null || low === now < least * (low ? 1.1 : 1)) return;
    low = !low;
    const fields = { free_bytes: now, limit_bytes: least };
    const figures = `${mebibytes(now)} of ${name} are left, the limit is ${mebibytes(least)}`;
    told(whats[low ? 0 : 1], low ? `${figures}. ${remedy}` : figures);
    if (low) log.warn(`the machine is short of ${name}`, { ...fields, remedy });
    else log.info(`the machine has enough ${name} again`, fields);
  };
}

function readHost(folders: readonly string[]): HostReading {
  const free = folders.flatMap((folder) => {
    try {
      const { bavail, bsize } = statfsSync(folder);
      return [bavail * bsize];
    } catch {
      return [];
    }
  });
  const available = numberIn("/proc/meminfo", /^MemAvailable:\s+(\d+) kB/m);
  return {
    diskFree: free.length === 0 ? null : Math.min(...free),
    memoryAvailable: available === null ? null : available * 1024,
    oomKills: numberIn("/proc/vmstat", /^oom_kill (\d+)/m),
  };
}

function numberIn(file: string, form: RegExp): number | null {
  try {
    const [, digits] = form.exec(readFileSync(file, "utf8")) ?? [];
    return digits === undefined ? null : Number(digits);
  } catch {
    return null;
  }
}
