import { systemClock } from "../../kit/base/clock.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import type { OutcomeStatus } from "../../protocol/enums.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { RunnerSettings } from "../../protocol/nuon/settings.ts";
import { RETRY } from "../../protocol/retry.ts";
import { DEFAULT_TIMES } from "../../protocol/times.ts";
import type { Announcement, ControlPlane, ExecutionRef, Session } from "./control-plane.ts";
import { type DialectOptions, httpOf } from "./dialect-http.ts";
import { baselineDocuments } from "./documents.ts";
import { helmReleases } from "./helm-releases.ts";
import { encodeLogBatch } from "./log-export.ts";
import { beat } from "./nuon/beats.ts";
import { createClaims } from "./nuon/claims.ts";
import { createNuonClient } from "./nuon/client.ts";
import { factsOf, workOf } from "./nuon/facts.ts";
import { finish } from "./nuon/finish.ts";
import { reportMetrics } from "./nuon/metrics.ts";
import { createMonitor, type Watched } from "./nuon/monitor.ts";
import { createOutbox, type Outbox } from "./nuon/outbox.ts";
import { loadPlan } from "./nuon/plan.ts";
import { createPoller } from "./nuon/poller.ts";
import { STATUS, statusWrite, stepWrite } from "./nuon/progress.ts";
import { createReadJob } from "./nuon/read-job.ts";
import { lookAtAll } from "./nuon/renew.ts";
import { createReservations } from "./nuon/reservations.ts";
import { readSettings } from "./read-settings.ts";
import { createRunnerToken } from "./runner-token.ts";
import { terraformState } from "./terraform-state.ts";

/** A running job is looked at this often: cancel is noticed by polling only. */
const LOOK_MS = 2_000;
/** The work waits this long for a status to arrive, then goes on while it is tried again. */
const STATUS_PATIENCE_MS = 1_000;
/** After a drain the beats go on as long as jobs are looked at. */
const LAST_SIGN_MS = 15_000;

/** A Nuon control plane (nuon-runner-api.md, viewpoint S). */
export function createNuonControlPlane(options: DialectOptions): ControlPlane {
  const { clock = systemClock, random = Math.random, log = silentLog, version } = options;
  const url = options.url.replace(/\/+$/, "");
  const { origin } = new URL(url);
  // The API lies at the host's root; logs and state go to the address as it was given (1.2).
  const token = createRunnerToken(options);
  const http = httpOf(options, origin, token);
  const api = createNuonClient(http);
  // Helm's storage keeps a base path, as the logs do (1.2).
  const based = url === origin ? http : httpOf(options, url, token);
  const logApi = url === origin ? api : createNuonClient(based);
  const { runnerId } = options;
  const readJob = createReadJob(api, runnerId);
  const watched = new Map<string, Watched>();
  const outboxes = new Map<string, Outbox>();
  const monitor = createMonitor(api, readJob, clock);
  const ended = new Map<OutcomeStatus, number>();
  let settings: RunnerSettings | null = null;
  let lastSign = clock.monotonic();

  const know = (execution: ExecutionRef): void => {
    const facts = factsOf(execution);
    if (facts && !watched.has(execution.id)) watched.set(execution.id, { jobId: execution.jobId, facts });
    lastSign = clock.monotonic();
  };
  const outboxOf = (execution: ExecutionRef): Outbox => {
    know(execution);
    const box = outboxes.get(execution.id) ?? createOutbox(clock);
    outboxes.set(execution.id, box);
    return box;
  };

  const claim = createClaims({
    poller: createPoller(api, runnerId, log),
    reservations: createReservations({ api, readJob, runnerId, version, clock, log }),
    clock,
    random,
    isKnown: (executionId) => watched.has(executionId),
    workOf: ({ job, executionId, createdMs }) => {
      const work = workOf(job, executionId, createdMs, clock.now(), (signal) =>
        loadPlan(http, job.id, signal, runnerId),
      );
      know(work.execution);
      return work;
    },
  });

  async function connect(announcement: Announcement, signal: AbortSignal): Promise<Result<Session>> {
    const read = await readSettings(http, runnerId, signal, RETRY.connect);
    if (!read.ok) return read;
    settings = read.value;
    const { mode, aliveSince } = announcement;
    const wanted = () => !signal.aborted || clock.monotonic() - lastSign < LAST_SIGN_MS;
    lastSign = clock.monotonic();
    const period = () => settings?.heart_beat_timeout;
    void beat({ api, runnerId, clock, log, mode, version: announcement.version, period, aliveSince, wanted });
    const enabled = () => settings?.enable_metrics === true;
    const figures = () => ({ running: watched.size, ended, since: aliveSince });
    void reportMetrics({ api, runnerId, version: announcement.version, clock, log, wanted: enabled, figures }, signal);
    const held = await Promise.all(
      announcement.held.map(async (one) => {
        const { verdict, watched: seen } = await monitor.verdict(one, signal);
        if (seen) watched.set(one.execution_id, seen);
        return verdict;
      }),
    );
    return ok({ settings: read.value, times: { ...DEFAULT_TIMES, renew_ms: LOOK_MS }, held });
  }

  const exporter = () => ({ runnerId, version, schemaUrl: url, metadata: settings?.metadata });

  return {
    dialect: "nuon",
    connect,
    claim,

    async settings(signal) {
      const read = await readSettings(http, runnerId, signal);
      if (read.ok) settings = read.value;
      return read;
    },

    async renew(executions, signal) {
      lastSign = clock.monotonic();
      return ok(await lookAtAll(executions, watched, monitor, clock, signal));
    },

    status: (execution, status, signal) =>
      outboxOf(execution).put(STATUS, statusWrite(api, execution, status, signal), STATUS_PATIENCE_MS),

    async workStep(execution, step, id, signal) {
      if (id === undefined || step.status === "pending") return;
      const send = stepWrite(api, { execution, step, id }, settings, signal);
      await outboxOf(execution).put(id, send, STATUS_PATIENCE_MS);
    },

    async logs(execution, batch, signal) {
      // Absent means false here: the server leaves zero values out.
      const disabled = settings !== null && settings.enable_logging !== true;
      if (disabled || execution.logStreamId === null || batch.records.length === 0) return ok({ stored: batch.to });
      const sent = await logApi.call("LogStreamWriteLogs", {
        path: { log_stream_id: execution.logStreamId },
        tag: "logs",
        bytes: encodeLogBatch(execution, batch, exporter()),
        signal,
      });
      return sent.ok ? ok({ stored: batch.to }) : sent;
    },

    async complete(execution, completion, cleanup, signal) {
      const box = outboxOf(execution);
      await box.close((key) => key === STATUS, signal);
      const done = await finish({ api, clock, log }, execution, completion, cleanup, signal);
      if (done.ok) {
        ended.set(completion.status, (ended.get(completion.status) ?? 0) + 1);
        outboxes.delete(execution.id);
        watched.delete(execution.id);
        monitor.forget(execution.jobId);
      }
      return done;
    },

    // It has no timeline of a runner: of all it takes, an event among the metrics is the nearest.
    async tell({ what, why }, signal) {
      const json = [{ event: { title: `runner ${what}`, text: why, tags: [`runner_id:${runnerId}`] } }];
      const told = await api.call("PublishMetrics", { path: {}, json, rule: RETRY.report, tag: "events", signal });
      return told.ok ? ok(undefined) : told;
    },

    plan: (execution, signal) => loadPlan(http, execution.jobId, signal, runnerId),
    documents: () => baselineDocuments(http),
    state({ jobId, id: executionId }) {
      const auth = { token: token.value };
      return terraformState({ http, url, jobId, executionId, auth, ca: options.ca });
    },
    releases: () => helmReleases(based, null),
    secrets: token.known,
    onSecret: token.onRenewed,
  };
}
