import { processMetrics } from "../kit/telemetry/process-metrics.ts";
import { freeBytes } from "../kit/workspace/index.ts";
import { expectedVersion, isVersion } from "../protocol/runner-wishes.ts";
import type { Vitals } from "./loop/vitals.ts";
import type { RunnerProcess } from "./runner.ts";

export interface GaugeFacts {
  readonly version: string;
  readonly mode: string;
  readonly stateDir: string;
  readonly vitals: Vitals;
}

/** Numbers that are read from the runner when somebody asks; until then they cost nothing. */
export function runnerGauges(
  { vitals, version, mode, stateDir }: GaugeFacts,
  runner: () => Pick<RunnerProcess, "status"> | null,
): void {
  const { registry } = vitals;
  const status = () => runner()?.status() ?? null;
  processMetrics(registry, "runner", () => ({ version, mode, dialect: status()?.dialect ?? "" }));
  registry.gauge("runner_running", "Executions that hold a slot, by group.", () =>
    Object.entries(status()?.slots ?? {}).map(([group, { slots, free }]) => [{ group }, slots - free] as const),
  );
  registry.gauge("runner_slots", "Capacity, by group.", () =>
    Object.entries(status()?.slots ?? {}).map(([group, { slots }]) => [{ group }, slots] as const),
  );
  registry.gauge("runner_last_contact_timestamp_seconds", "Last answer of the control plane.", () => {
    const at = vitals.lastContact();
    return at === null ? [] : [[{}, at / 1000]];
  });
  registry.counted("runner_audit_missing_total", "Lines of the audit trail that could not be written.", () => [
    [{}, status()?.auditMissing ?? 0],
  ]);
  registry.counted("runner_journal_lost_writes_total", "Writes of the journal that a full disk refused.", () => [
    [{}, status()?.lostWrites ?? 0],
  ]);
  registry.gauge("runner_disk_free_bytes", "Free space where the state directory lies.", () => {
    const free = freeOrNull(stateDir);
    return free === null ? [] : [[{}, free]];
  });
  registry.gauge(
    "runner_claim_loop_timestamp_seconds",
    "Last turn of the loop that asks for work, for every group.",
    () => {
      const at = vitals.lastTurn();
      return at === null ? [] : [[{}, at / 1000]];
    },
  );
  registry.gauge("runner_version_mismatch", "1: the settings ask for another version than runs here.", () => {
    const settings = status()?.settings;
    return [[{}, settings && !isVersion(expectedVersion(settings), version) ? 1 : 0]];
  });
}

/** null: the folder is not there (yet). */
export function freeOrNull(folder: string): number | null {
  try {
    return freeBytes(folder);
  } catch {
    return null;
  }
}
