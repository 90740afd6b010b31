import type { Clock } from "../../kit/base/clock.ts";
import type { StepStatus } from "../../protocol/enums.ts";
import type { StepReport } from "../../protocol/native.ts";
import { StopError, ToolError, type WorkStep } from "../handler.ts";
import type { ExecutionKey, Journal, StepRow } from "./journal.ts";

interface StepTrackerDeps {
  readonly key: ExecutionKey;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly changed: (step: StepReport, id: string | undefined) => void;
}

/** Steps of the work with their times; journalled, so that a restart shows the same ones. */
export function createStepTracker({ key, journal, clock, changed }: StepTrackerDeps) {
  const rows = new Map<string, StepRow>(journal.steps(key).map((row) => [row.name, row]));
  /** Steps of one name are told apart by their id, always in the same order: `build`, `build (2)`. */
  const owners = new Map<string, string | undefined>();
  const nameOf = ({ name, id }: WorkStep): string => {
    let own = name;
    for (let n = 2; owners.has(own) && owners.get(own) !== id; n++) own = `${name} (${n})`;
    owners.set(own, id);
    return own;
  };
  /** Exit code of the last tool inside the step that runs now. */
  let lastCode: number | null = null;
  let current = "";

  const put = (row: StepRow, step: WorkStep) => {
    rows.set(row.name, row);
    const seq = [...rows.keys()].indexOf(row.name);
    void journal.write(() => journal.setStep(key, seq, row));
    changed(toReport(row), step.id);
  };

  return {
    toolEnded(code: number | null): void {
      lastCode = code;
    },
    /** Name of the step that runs now; empty between steps. */
    current: () => current,
    reports: (): StepReport[] => [...rows.values()].map(toReport),
    async run<T>(step: WorkStep, work: () => Promise<T>): Promise<T> {
      const name = nameOf(step);
      const before = rows.get(name);
      const startedMs = before?.startedMs ?? clock.now();
      // A step that was over before a restart keeps its times; its tools answer from the journal.
      const over = before !== undefined && before.status !== "in-progress";
      if (!before) put({ name, status: "in-progress", startedMs, durationMs: null, code: null }, step);
      // Its end may not have reached the control plane before the restart.
      if (over) changed(toReport(before), step.id);
      lastCode = null;
      current = name;
      const end = (status: StepStatus) => {
        // The wall clock may have been set back meanwhile.
        const durationMs = Math.max(0, clock.now() - startedMs);
        if (!over) put({ name, status, startedMs, durationMs, code: lastCode }, step);
      };
      try {
        const value = await work();
        end("finished");
        return value;
      } catch (error) {
        if (error instanceof StopError && error.stop.kind === "abandoned") throw error;
        if (error instanceof ToolError) lastCode = error.end.code;
        end(error instanceof StopError && error.stop.kind === "timed-out" ? "timed-out" : "error");
        throw error;
      } finally {
        current = "";
      }
    },
  };
}

const toReport = (row: StepRow): StepReport => ({
  name: row.name,
  status: row.status,
  started_at: new Date(row.startedMs).toISOString(),
  duration_ms: row.durationMs ?? 0,
  exit_code: row.code,
});
