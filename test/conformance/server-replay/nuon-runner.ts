import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemLog } from "../../../internal/kit/base/system-log.ts";
import { MODE_GROUPS, type RunnerMode } from "../../../internal/protocol/enums.ts";
import { RunnerError } from "../../../internal/protocol/errors.ts";
import { createNuonControlPlane } from "../../../internal/runner/controlplane/nuon.ts";
import type { ToolFinder } from "../../../internal/runner/handler.ts";
import { registry } from "../../../internal/runner/handlers/registry.ts";
import type { RunnerProcess } from "../../../internal/runner/runner.ts";
import { startRunner } from "../../../internal/runner/start.ts";
import { quickClock } from "../../lib/quick-clock.ts";

export const VERSION = "0.1.0";

export interface NuonRunnerOptions {
  readonly url: string;
  readonly runnerId: string;
  readonly token: string;
  /** The runner's time runs so many times as fast as ours. */
  readonly factor: number;
  readonly find?: ToolFinder["find"];
  /** Default: install. */
  readonly mode?: RunnerMode;
  /** Puts a job's source into a folder. */
  readonly source?: (into: string) => Promise<void>;
}

export interface NuonRunner {
  readonly runner: RunnerProcess;
  /** Lines of its own log. */
  readonly said: readonly string[];
  stop(): Promise<void>;
}

const unused = () => Promise.reject(new RunnerError("defect", "not used in this test"));

/** The real runner, one job per group, speaking the nuon dialect. */
export function startNuonRunner(options: NuonRunnerOptions): NuonRunner {
  const { url, runnerId, token, source, find = unused, mode = "install" } = options;
  const stateDir = mkdtempSync(join(tmpdir(), "nuon-runner-"));
  const said: string[] = [];
  const clock = quickClock(options.factor);
  const log = createSystemLog({ format: "text", level: "info", write: (line) => said.push(line) });
  const fetchSource = (into: string) => source?.(into) ?? unused();
  const runner = startRunner(
    {
      mode,
      version: VERSION,
      runnerId,
      stateDir,
      slots: Object.fromEntries(MODE_GROUPS[mode].map((group) => [group, 1])),
      labels: {},
      drainTimeoutMs: null,
      minFreeBytes: 0,
      logCapBytes: 1 << 20,
      logIntervalMs: 50,
    },
    {
      controlPlane: createNuonControlPlane({ url, runnerId, token, version: VERSION, clock, random: () => 0.5, log }),
      handlers: registry,
      tools: {
        find,
        cacheDir: stateDir,
        providerMirror: null,
        env: (extra) => ({ PATH: process.env.PATH ?? "", ...extra }),
      },
      sources: () => ({
        git: async (_, into) => {
          await fetchSource(into);
          return "a commit";
        },
        oci: (_, into) => fetchSource(into),
      }),
      log,
      clock,
    },
  );
  return {
    runner,
    said,
    async stop() {
      runner.cancel("the test is over");
      await runner.ended;
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
