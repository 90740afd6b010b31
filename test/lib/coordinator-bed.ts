import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Coordinator } from "../../internal/coordinator/coordinator.ts";
import { startCoordinator } from "../../internal/coordinator/start.ts";
import { silentLog } from "../../internal/kit/base/system-log.ts";
import { DEFAULT_TIMES } from "../../internal/protocol/times.ts";
import { createOperator, type Operator } from "./operator.ts";

/** A coordinator in this process on a free port, and its operator. */
export interface CoordinatorBed {
  readonly coordinator: Coordinator;
  readonly operator: Operator;
  /** Data folder; also for what a test writes. */
  readonly folder: string;
  end(): Promise<void>;
}

export async function startCoordinatorBed(): Promise<CoordinatorBed> {
  const folder = mkdtempSync(join(tmpdir(), "coordinator-bed-"));
  const coordinator = await startCoordinator(
    {
      version: "0.0.0-test",
      host: "127.0.0.1",
      port: 0,
      dataDir: folder,
      adminKeyFile: join(folder, "admin.key"),
      publicUrl: null,
      tls: null,
      times: DEFAULT_TIMES,
      exclusive: true,
    },
    { log: silentLog },
  );
  return {
    coordinator,
    operator: createOperator(coordinator),
    folder,
    async end() {
      await coordinator.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
