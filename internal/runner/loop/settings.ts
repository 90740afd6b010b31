import type { Clock } from "../../kit/base/clock.ts";
import type { SystemLog } from "../../kit/base/system-log.ts";
import type { LogBatch, LogRecord } from "../../kit/logs/types.ts";
import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import { expectedVersion, isVersion } from "../../protocol/runner-wishes.ts";
import type { ControlPlane } from "../controlplane/control-plane.ts";

/** A Nuon server tells nobody that its settings have changed. */
const REREAD_MS = 60_000;

export interface SettingsDeps {
  readonly controlPlane: Pick<ControlPlane, "dialect" | "settings">;
  readonly version: string;
  readonly log: SystemLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The settings as the control plane last gave them, read again without a restart. */
export function createSettings({ controlPlane, version, log, clock, signal }: SettingsDeps) {
  let current: RunnerSettings | null = null;
  let reading: Promise<void> | null = null;
  let again = false;
  const warned = new Set<string>();

  const take = (given: RunnerSettings): void => {
    current = given;
    const wanted = expectedVersion(given);
    if (wanted === null || isVersion(wanted, version) || warned.has(wanted)) return;
    warned.add(wanted);
    log.warn("the control plane's settings name another version of the runner", { wanted, running: version });
  };
  const readAll = async (): Promise<void> => {
    do {
      again = false;
      const read = await controlPlane.settings?.(signal);
      if (read?.ok) take(read.value);
      else if (read && !signal.aborted)
        log.warn("the settings could not be read again", { reason: read.error.message });
    } while (again && !signal.aborted);
  };
  /** A wish that comes while they are being read is not lost: the answer may be older than it. */
  const reread = (): Promise<void> => {
    again = reading !== null;
    reading ??= readAll().finally(() => {
      reading = null;
    });
    return reading;
  };

  return {
    current: () => current,
    take,
    reread,
    /** Until `signal`; returns at once where the control plane says by itself when to read them. */
    async keep(): Promise<void> {
      while (controlPlane.dialect === "nuon" && controlPlane.settings) {
        await clock.sleep(REREAD_MS, signal);
        if (signal.aborted) return;
        await reread();
      }
    },
  };
}

const RANK: Readonly<Record<string, number>> = { trace: 0, debug: 0, info: 1, warn: 2, warning: 2, error: 3, fatal: 4 };

/**
 * What of a batch the settings let out. Its range stays, so that the control plane's position stays right: nothing is
 * taken for lost. `enable_logging: false` lets nothing out; `logging_level` is for lines of the runner, not for tools,
 * and never for the notice of a gap.
 */
export function admitted(batch: LogBatch, settings: RunnerSettings | null): LogBatch {
  if (settings === null) return batch;
  if (settings.enable_logging === false) return { ...batch, records: [] };
  const least = RANK[(settings.logging_level ?? "").toLowerCase()] ?? 0;
  const passes = (record: LogRecord) =>
    record.source === "tool" || (RANK[record.severity] ?? 0) >= least || LOG_ATTRIBUTES.dropped in record.attributes;
  return least === 0 || batch.records.every(passes) ? batch : { ...batch, records: batch.records.filter(passes) };
}
