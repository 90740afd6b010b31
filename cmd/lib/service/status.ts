import { uptime } from "node:os";
import { openImageFile } from "../../../internal/runner/supervisor/image-file.ts";
import { sessionWords } from "../../../internal/runner/supervisor/presence.ts";
import { IMAGE_PLACE, imagePresence } from "./image-place.ts";
import { runProgram, showUnit, spanSeconds } from "./systemctl.ts";

/** What systemd and the runner's own words say of a service. */
export interface ServiceStatus {
  readonly unit: string;
  readonly installed: boolean;
  readonly enabled: boolean;
  /** `active (running)`, `failed (Result: exit-code)`. */
  readonly state: string;
  /** It runs, and has said so itself. */
  readonly ready: boolean;
  /** Its control plane has answered. */
  readonly connected: boolean;
  /** In its own words. */
  readonly status: string | null;
  readonly pid: number | null;
  /** Of the process that runs, in its own words; null: it has not connected. */
  readonly version: string | null;
  readonly restarts: number;
  readonly last_exit: string | null;
  readonly watchdog: { readonly every_s: number; readonly fed_s_ago: number | null } | null;
  /** Of a runner that is a container: the image that it is started from. */
  readonly image?: string | null;
  /** The unit's file is newer than what systemd goes by. */
  readonly reload_needed: boolean;
}

const NAMES = [
  "LoadState",
  "UnitFileState",
  "ActiveState",
  "SubState",
  "Result",
  "MainPID",
  "NRestarts",
  "StatusText",
  "WatchdogUSec",
  "WatchdogTimestampMonotonic",
  "ExecMainCode",
  "ExecMainStatus",
  "NeedDaemonReload",
];

export async function statusOf(unit: string): Promise<ServiceStatus> {
  const said = await unitStatus(unit);
  return unit === IMAGE_PLACE.unit ? withImage(said) : said;
}

/** No notification of a container reaches systemd: its state directory tells the rest (root's). */
function withImage(said: ServiceStatus): ServiceStatus {
  const image = openImageFile(IMAGE_PLACE.imageFile).read().current;
  const found = said.ready ? imagePresence() : null;
  if (found === null) return { ...said, image, status: said.ready ? "begins" : null };
  const connected = found.ready && !found.draining;
  const status = found.draining ? "draining" : sessionWords(found);
  return { ...said, image, connected, status, pid: found.pid, version: found.version };
}

async function unitStatus(unit: string): Promise<ServiceStatus> {
  const fact = await showUnit(unit, NAMES);
  const pid = Number(fact("MainPID")) || null;
  const ready = fact("ActiveState") === "active" && pid !== null;
  const result = fact("Result") === "success" ? "" : `, ${fact("Result")}`;
  return {
    unit,
    installed: fact("LoadState") === "loaded",
    enabled: fact("UnitFileState") === "enabled",
    state: `${fact("ActiveState") || "unknown"} (${fact("SubState")}${result})`,
    ready,
    connected: ready && fact("StatusText").startsWith("connected"),
    status: fact("StatusText") || null,
    pid,
    version: (pid !== null && /, version (\S+)$/.exec(fact("StatusText"))?.[1]) || null,
    restarts: Number(fact("NRestarts")) || 0,
    last_exit: exitOf(fact("ExecMainCode"), fact("ExecMainStatus")),
    watchdog: watchdogOf(fact("WatchdogUSec"), fact("WatchdogTimestampMonotonic")),
    reload_needed: fact("NeedDaemonReload") === "yes",
  };
}

/** siginfo's code (1: exited, 2: killed, 3: dumped) and what goes with it. */
function exitOf(code: string, status: string): string | null {
  if (code === "1") return `exit code ${status}`;
  return code === "2" || code === "3" ? `signal ${status}` : null;
}

/** `fed` is microseconds since the machine started, 0: never. */
function watchdogOf(every: string, fed: string): ServiceStatus["watchdog"] {
  const seconds = spanSeconds(every);
  if (seconds === 0) return null;
  const at = Number(fed) / 1e6;
  return { every_s: seconds, fed_s_ago: at > 0 ? Math.max(0, Math.round(uptime() - at)) : null };
}

const LOOK_MS = 250;

/** Looks until the service is connected, is not there at all, or the time is over. */
export async function waitForService(unit: string, seconds: number): Promise<ServiceStatus> {
  const until = performance.now() + seconds * 1_000;
  for (;;) {
    const status = await statusOf(unit);
    if (status.connected || !status.installed || performance.now() > until) return status;
    await Bun.sleep(LOOK_MS);
  }
}

/** The last lines of its journal, without times and names. */
export async function lastWords(unit: string, lines: number): Promise<string[]> {
  const { stdout } = await runProgram("journalctl", "--no-pager", "-q", "-o", "cat", "-n", String(lines), "-u", unit);
  return stdout.split("\n").filter((line) => line !== "");
}
