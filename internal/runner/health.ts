import { accessSync, constants } from "node:fs";
import { type Clock, systemClock } from "../kit/base/clock.ts";
import { METRICS_TYPE } from "../kit/telemetry/metrics.ts";
import { freeBytes } from "../kit/workspace/index.ts";
import { RunnerError, reasonOf } from "../protocol/errors.ts";
import { expectedVersion } from "../protocol/runner-wishes.ts";
import type { Vitals } from "./loop/vitals.ts";
import type { RunnerProcess } from "./runner.ts";
import { freeOrNull } from "./runner-gauges.ts";

export interface HealthOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly version: string;
  readonly mode: string;
  readonly runnerId: string;
  readonly stateDir: string;
  readonly minFreeBytes: number;
  readonly vitals: Vitals;
  readonly clock?: Clock;
}

export interface HealthServer {
  readonly url: string;
  /** From now on it tells of this runner; before, that it waits for the control plane. */
  watch(runner: Pick<RunnerProcess, "status">): void;
  stop(): Promise<void>;
}

/**
 * `/livez`, `/readyz`, `/metrics` and `/status` of one runner (DESIGN section 9). No secret is in any of them, and none
 * changes anything. Throws RunnerError (environment) when the address cannot be had.
 */
export function serveHealth(options: HealthOptions): HealthServer {
  const { vitals, clock = systemClock } = options;
  let runner: Pick<RunnerProcess, "status"> | null = null;
  const startedMs = clock.now();

  const livez = () => {
    const stuck = vitals.stuck();
    return stuck === null ? Response.json({ status: "ok" }) : Response.json({ status: "stuck", reason: stuck }, BUSY);
  };
  const readyz = () => {
    const reason = notReady(options, runner, clock);
    return reason === null ? Response.json({ status: "ok" }) : Response.json({ status: "not ready", reason }, BUSY);
  };
  const metrics = () => new Response(vitals.registry.text(), { headers: { "content-type": METRICS_TYPE } });
  const status = () => Response.json(statusDocument(options, runner, startedMs));
  const pages: Readonly<Record<string, () => Response>> = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": metrics,
    "/status": status,
  };
  const server = listen(options, (request) => {
    const page = pages[new URL(request.url).pathname];
    if (!page) return new Response("404 page not found: /livez, /readyz, /metrics, /status\n", { status: 404 });
    if (request.method === "GET" || request.method === "HEAD") return page();
    return new Response("only GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
  });
  const host = options.host.includes(":") && !options.host.startsWith("[") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${server.port}`,
    watch: (started) => {
      runner = started;
    },
    stop: () => server.stop(true),
  };
}

const BUSY = { status: 503 } as const;
/** Nobody sends this server a body. */
const MAX_BODY = 1024;

function listen({ host, port }: HealthOptions, fetch: (request: Request) => Response) {
  try {
    return Bun.serve({
      hostname: host,
      port,
      // Bun shares a port between processes unless told not to: two runners would answer for each other.
      reusePort: false,
      development: false,
      maxRequestBodySize: MAX_BODY,
      fetch,
    });
  } catch (cause) {
    const inUse = cause !== null && typeof cause === "object" && "code" in cause && cause.code === "EADDRINUSE";
    const address = `${host}:${port}`;
    throw new RunnerError(
      "environment",
      inUse ? `another program listens on ${address}` : `cannot listen on ${address}: ${reasonOf(cause)}`,
      { remedy: "Choose another address with --health-listen.", cause },
    );
  }
}

/** null: ready for work. */
function notReady(
  { stateDir, minFreeBytes, vitals }: HealthOptions,
  runner: Pick<RunnerProcess, "status"> | null,
  clock: Clock,
): string | null {
  const status = runner?.status();
  if (!status || status.state === "starting") return "no session: the control plane has not answered yet";
  if (status.state !== "ready") return `the runner is ${status.state}`;
  const silentMs = clock.now() - (vitals.lastContact() ?? status.connectedMs ?? 0);
  if (silentMs > status.offlineMs) return `the control plane has not answered for ${Math.round(silentMs / 1000)} s`;
  try {
    accessSync(stateDir, constants.W_OK);
    if (freeBytes(stateDir) < minFreeBytes) return "too little free space in the state directory";
  } catch (cause) {
    return `the state directory cannot be written: ${reasonOf(cause)}`;
  }
  return null;
}

function statusDocument(
  { version, mode, runnerId, stateDir, minFreeBytes, vitals }: HealthOptions,
  runner: Pick<RunnerProcess, "status"> | null,
  startedMs: number,
) {
  const status = runner?.status() ?? null;
  const at = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const executions = status?.executions ?? [];
  return {
    version,
    runner: runnerId,
    mode,
    started_at: at(startedMs),
    state: status?.state ?? "starting",
    instance: status?.instance ?? null,
    dialect: status?.dialect ?? null,
    session: status?.connectedMs ? { opened_at: at(status.connectedMs) } : null,
    last_contact_at: at(vitals.lastContact()),
    slots: status?.slots ?? {},
    executions,
    pending_reports: executions.filter((one) => one.phase === "report").length,
    settings: status?.settings
      ? {
          logging: status.settings.enable_logging !== false,
          logging_level: status.settings.logging_level ?? "",
          metrics: status.settings.enable_metrics !== false,
          sandbox: status.settings.sandbox_mode === true,
        }
      : null,
    claim_loop: { last_turn_at: at(vitals.lastTurn()), stuck: vitals.stuck() },
    disk: { free_bytes: freeOrNull(stateDir), min_free_bytes: minFreeBytes },
    expected_version: status?.settings ? expectedVersion(status.settings) : null,
    journal_lost_writes: status?.lostWrites ?? 0,
    audit_lines_missing: status?.auditMissing ?? 0,
  };
}
