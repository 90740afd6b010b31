import type { Address } from "../../internal/config/setting.ts";
import { systemClock } from "../../internal/kit/base/clock.ts";
import { findGpus } from "../../internal/kit/base/gpus.ts";
import type { SystemLog } from "../../internal/kit/base/system-log.ts";
import { ecsTaskProtection, type TaskProtection } from "../../internal/kit/cloud/task-protection.ts";
import type { Telemetry } from "../../internal/kit/telemetry/telemetry.ts";
import type { RunnerMode } from "../../internal/protocol/enums.ts";
import type { ExitCode } from "../../internal/protocol/errors.ts";
import { connectControlPlane } from "../../internal/runner/controlplane/connect.ts";
import type { ControlPlane } from "../../internal/runner/controlplane/control-plane.ts";
import { registry } from "../../internal/runner/handlers/registry.ts";
import { type HealthServer, serveHealth } from "../../internal/runner/health.ts";
import { openJournal } from "../../internal/runner/loop/journal.ts";
import { createVitals, type Vitals } from "../../internal/runner/loop/vitals.ts";
import { pluginHandlers } from "../../internal/runner/plugins/load-plugins.ts";
import type { RunnerProcess } from "../../internal/runner/runner.ts";
import { runnerGauges } from "../../internal/runner/runner-gauges.ts";
import { createSources } from "../../internal/runner/sources.ts";
import { type StartDeps, startRunner } from "../../internal/runner/start.ts";
import { removePresence, writePresence } from "../../internal/runner/supervisor/presence.ts";
import { readCa } from "./ca-file.ts";
import { slotsFor } from "./concurrency.ts";
import { containersFor, sweepLeftContainers } from "./containers.ts";
import type { Context } from "./context.ts";
import { kubeFor } from "./kube.ts";
import { pluginsFor, tellPlugins } from "./plugins.ts";
import { policyFor, trustFor } from "./policy.ts";
import { HELD, type Supervisor } from "./supervisor.ts";
import { toolsFor } from "./tools.ts";

/** A runner to start in this process. */
export interface RunnerHalf {
  readonly apiUrl: string;
  readonly runnerId: string;
  readonly token: string;
  /** Reads the token's file again; null: it cannot be read now. Absent: it came from no file. */
  readonly readToken?: () => string | null;
  readonly dialect: "native" | "nuon" | null;
  readonly mode: RunnerMode;
  readonly stateDir: string;
  readonly log: SystemLog;
  /** Where traces and metrics go; null: nowhere. Its end is the caller's. */
  readonly telemetry: Telemetry | null;
  /** Works for the person who started it: job files may name repositories of this machine. */
  readonly local: boolean;
  /** The service manager to tell; none for local work. */
  readonly supervisor?: Supervisor;
  /** What jobs about this process itself may do. */
  readonly itself?: StartDeps["itself"];
  /** The state directory is ours; the control plane was not asked anything yet. May throw. */
  readonly opened?: (vitals: Vitals) => void;
  /** May wrap the control plane. */
  readonly wrap?: (controlPlane: ControlPlane) => ControlPlane;
}

/** Connects and starts a runner with the settings of this command. Waits while the control plane is away. Throws RunnerError. */
export async function startRunnerHalf(context: Context, half: RunnerHalf, signal: AbortSignal): Promise<RunnerProcess> {
  const { values } = context;
  const vitals = createVitals(systemClock, await tracesFor(half.telemetry));
  // First of all: a port in use is told before anything is touched.
  const health = values.healthListen === null ? null : healthOf(context, half, values.healthListen, vitals);
  try {
    return await startHalf(context, half, signal, vitals, health);
  } catch (error) {
    await health?.stop();
    throw error;
  }
}

/** Only inside a task of ECS, where the agent gives its address. */
function protectionFor({ values, env }: Context, half: RunnerHalf): TaskProtection | null {
  if (!env.ECS_AGENT_URI || !values.ecsTaskProtection || half.local) return null;
  return ecsTaskProtection({ agentUri: env.ECS_AGENT_URI, clock: systemClock, log: half.log });
}

/** The end of a process waits until its task may be stopped again. */
async function endedWith(ended: Promise<ExitCode>, protection: TaskProtection): Promise<ExitCode> {
  const code = await ended;
  await protection.end();
  return code;
}

async function tracesFor(telemetry: Telemetry | null) {
  if (!telemetry?.tracer) return null;
  const { createJobTraces } = await import("../../internal/runner/loop/job-trace.ts");
  return createJobTraces(telemetry.tracer);
}

function healthOf({ values, version }: Context, half: RunnerHalf, address: Address, vitals: Vitals): HealthServer {
  const { mode, runnerId, stateDir, log } = half;
  const { minFree: minFreeBytes } = values;
  const health = serveHealth({ ...address, version, mode, runnerId, stateDir, minFreeBytes, vitals });
  log.info("health is served", { url: health.url });
  return health;
}

async function startHalf(
  context: Context,
  half: RunnerHalf,
  signal: AbortSignal,
  vitals: Vitals,
  health: HealthServer | null,
): Promise<RunnerProcess> {
  const { values, version } = context;
  let running: RunnerProcess | null = null;
  // A policy that cannot be used is told before any job is taken.
  const policy = policyFor(context, half);
  const trust = trustFor(context, half);
  runnerGauges({ version, mode: half.mode, stateDir: half.stateDir, vitals }, () => running);
  const journal = openJournal(half.stateDir);
  half.opened?.(vitals);
  if (!half.local) writePresence(half.stateDir, { version, ready: false, draining: false });
  half.supervisor?.ready();
  half.supervisor?.watch(vitals.stuck);
  const ca = readCa(values.caFile) ?? undefined;
  const controlPlane = await connectControlPlane({
    apiUrl: half.apiUrl,
    runnerId: half.runnerId,
    token: half.token,
    readToken: half.readToken,
    dialect: half.dialect,
    version,
    stateDir: half.stateDir,
    ca,
    log: half.log,
    watch: vitals.http,
    held: (by) => {
      const waits = by && `${HELD} on ${by.hostname} works under ${half.runnerId}: two runners need two ids`;
      half.supervisor?.status(waits ?? `connected, version ${version}`);
      const how = { version, ready: waits === null, draining: false, ...(waits === null ? {} : { waits }) };
      if (!half.local) writePresence(half.stateDir, how);
    },
    signal,
  });
  const tools = toolsFor(context);
  const plugins = await pluginsFor(context);
  tellPlugins(plugins, half.log);
  const containers = containersFor(context, journal.instanceId());
  const protection = protectionFor(context, half);
  const slots = slotsFor(half.mode, values.concurrency);
  const runner = startRunner(
    {
      mode: half.mode,
      version,
      runnerId: half.runnerId,
      stateDir: half.stateDir,
      slots,
      labels: values.label ?? {},
      drainTimeoutMs: values.drainTimeout,
      minFreeBytes: values.minFree,
      logCapBytes: values.logCap,
      logIntervalMs: values.logInterval,
    },
    {
      controlPlane: half.wrap?.(controlPlane) ?? controlPlane,
      handlers: { ...registry, ...pluginHandlers(plugins) },
      journal,
      vitals,
      tools,
      kube: kubeFor(context),
      ...(policy === null ? {} : { policy }),
      ...(trust === null ? {} : { trust }),
      cloud: { env: context.env },
      gpus: () => findGpus(context.env.PATH ?? ""),
      containers,
      ...(protection === null ? {} : { occupied: protection.occupied }),
      sources: createSources({
        apiUrl: half.apiUrl,
        allowFileUrls: half.local,
        tools,
        limits: { maxBytes: values.sourceSize, maxFiles: values.sourceFiles },
        cloud: { env: context.env },
        git: {
          cacheBytes: values.gitCache,
          ssh: { knownHosts: values.gitKnownHosts, acceptNew: values.gitHostKeys === "accept-new" },
        },
        ...(ca === undefined ? {} : { ca }),
      }),
      ...(half.itself === undefined ? {} : { itself: half.itself }),
      log: half.log,
    },
  );
  // A fresh instance has made none.
  if (!half.local && (slots.containers ?? 0) > 0) void sweepLeftContainers(containers, journal, half.log);
  health?.watch(runner);
  running = runner;
  half.telemetry?.push(vitals.registry, () => runner.status().settings?.enable_metrics !== false);
  void runner.ready.then(
    () => {
      half.supervisor?.status(`connected, version ${version}`);
      if (!half.local) writePresence(half.stateDir, { version, ready: true, draining: false });
    },
    () => {}, // why it never was is the runner's to say
  );
  if (!half.local) void runner.ended.then(() => removePresence(half.stateDir));
  if (health) void runner.ended.then(() => health.stop());
  return protection === null ? runner : { ...runner, ended: endedWith(runner.ended, protection) };
}
