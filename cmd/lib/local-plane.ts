import { join } from "node:path";
import { startCoordinator } from "../../internal/coordinator/start.ts";
import { createSystemLog } from "../../internal/kit/base/system-log.ts";
import { DEFAULT_TIMES } from "../../internal/protocol/times.ts";
import type { RunnerProcess } from "../../internal/runner/runner.ts";
import { keepOutputs, type Outputs } from "./clear-outputs.ts";
import type { Context } from "./context.ts";
import { createOperatorClient, type OperatorClient } from "./operator-client.ts";
import { startRunnerHalf } from "./runner-half.ts";
import { retentionOf } from "./start-coordinator.ts";
import { TELEMETRY_END_MS, telemetryFor } from "./telemetry.ts";

/** A coordinator and a runner in this process, speaking to each other over loopback HTTP as two processes would. */
export interface LocalPlane {
  readonly url: string;
  readonly client: OperatorClient;
  readonly runnerId: string;
  readonly runner: RunnerProcess;
  /** What jobs delivered, in clear, by job id; sensitive ones are nowhere else. */
  readonly outputs: ReadonlyMap<string, Outputs>;
  /** Ends the runner, then the coordinator. */
  stop(why: string): Promise<void>;
}

export interface LocalPlaneOptions {
  readonly host: string;
  readonly port: number;
  /** Of the coordinator. */
  readonly dataDir: string;
  /** Of the runner. */
  readonly stateDir: string;
  /** false: others may use the same data folder at the same time. */
  readonly exclusive: boolean;
  /** The runner's id and token, from the coordinator that has just started. */
  readonly identity: (client: OperatorClient) => Promise<{ readonly id: string; readonly token: string }>;
  readonly signal: AbortSignal;
}

/** Starts both halves. Throws RunnerError; then nothing is left running. */
export async function startLocalPlane(context: Context, options: LocalPlaneOptions): Promise<LocalPlane> {
  const log = quietLog(context);
  const telemetry = await telemetryFor({ ...context, log }, "runner");
  const server = await startCoordinator(
    {
      version: context.version,
      host: options.host,
      port: options.port,
      dataDir: options.dataDir,
      adminKeyFile: join(options.dataDir, "admin.key"),
      publicUrl: null,
      tls: null,
      times: DEFAULT_TIMES,
      retention: retentionOf(context.values),
      exclusive: options.exclusive,
    },
    { log, telemetry },
  );
  try {
    const client = createOperatorClient({ url: server.url, key: server.adminKey });
    const { id, token } = await options.identity(client);
    const outputs = new Map<string, Outputs>();
    const runner = await startRunnerHalf(
      context,
      {
        apiUrl: server.url,
        runnerId: id,
        token,
        dialect: "native",
        mode: "all",
        stateDir: options.stateDir,
        log,
        telemetry,
        local: true,
        wrap: (controlPlane) => keepOutputs(controlPlane, outputs),
      },
      options.signal,
    );
    const stop = async (why: string) => {
      runner.drain(why);
      await runner.ended;
      await server.stop();
      await telemetry?.end(TELEMETRY_END_MS);
    };
    return { url: server.url, client, runnerId: id, runner, outputs, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Both halves talk to a person through the job itself; their own log only tells what is wrong, unless asked for more. */
function quietLog(context: Context) {
  const asked = context.sources.logLevel.kind !== "default";
  return createSystemLog({
    format: context.values.logFormat,
    level: asked ? context.values.logLevel : "warn",
    write: (line) => void process.stderr.write(line),
  });
}
