import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GoHandlers, JobContext } from "./context.ts";
import { type Ended, patch, runSteps } from "./execute.ts";
import { HANDLERS } from "./handlers.ts";
import { goTransport } from "./http.ts";
import { jobExporter } from "./otlp.ts";
import { createSdk, type Doc, SdkError } from "./sdk.ts";

export type Mode = "run" | "install" | "build" | "mng";

/** Groups polled and the heart beat's process, per mode (5.1). */
export const MODES: Readonly<Record<Mode, { readonly groups: readonly string[]; readonly process?: string }>> = {
  run: { groups: ["sandbox", "sync", "actions", "build", "deploy", "operations"] },
  install: { groups: ["sync", "sandbox", "deploy", "actions", "operations"], process: "install" },
  build: { groups: ["sync", "build", "operations"], process: "build" },
  mng: { groups: ["management"], process: "mng" },
};

export interface GoRunnerOptions {
  readonly url: string;
  readonly id: string;
  readonly token: string;
  readonly mode?: Mode;
  /** Factor on idle waits and on what no-ops sleep; heart beats and the job monitor keep their real pace. */
  readonly pace?: number;
  readonly ca?: { readonly pem: string; readonly file: string } | null;
  readonly handlers?: GoHandlers;
}

/** One job as the process saw it. */
export interface Worked {
  readonly jobId: string;
  readonly group: string;
  readonly executionId: string;
  readonly from: number;
  readonly to: number;
  readonly ended: Ended;
  /** Status of the job as the monitor read it, once a second. */
  readonly seen: readonly string[];
  /** Answers of the log export. */
  readonly exports: readonly number[];
}

export interface GoRunner {
  readonly settings: Doc;
  readonly worked: readonly Worked[];
  /** Jobs being worked on now, and the most there ever were at once. */
  readonly busy: () => { readonly now: number; readonly most: number };
  readonly errors: readonly string[];
  readonly heartBeats: readonly Doc[];
  /** Reservations that were refused, by status. */
  readonly refusedReservations: readonly number[];
  readonly connections: () => number;
  readonly ended: Promise<void>;
  /** Gone at once, as after SIGKILL: nothing is sent any more. */
  kill(): void;
  /** Heart beats stop, everything else goes on. */
  stopBeating(): void;
}

/**
 * The Nuon Go runner as the recordings show it: settings within a second or no start, one loop per group that works one
 * job at a time, heart beats from a ticker, a monitor that reads the job every second.
 */
export async function startGoRunner(options: GoRunnerOptions): Promise<GoRunner> {
  const { url, id, token, mode = "run", pace = 1, handlers = HANDLERS } = options;
  const startedAt = performance.now();
  const tmp = mkdtempSync(join(tmpdir(), "go-runner-"));
  const transport = goTransport(url, options.ca?.pem ?? null);
  const sdk = createSdk(transport, token);
  const gone = new AbortController();
  const worked: Worked[] = [];
  const errors: string[] = [];
  const heartBeats: Doc[] = [];
  const refusedReservations: number[] = [];
  let now = 0;
  let most = 0;

  const settings = await sdk.settings(id);
  checkSettings(settings);
  const wait = (ms: number) => sleepUnless(gone.signal, ms);

  const kill = () => {
    gone.abort();
    transport.close();
    rmSync(tmp, { recursive: true, force: true });
  };

  const { process: name, groups } = MODES[mode];
  let beating = true;
  const ticker = setInterval(() => {
    if (gone.signal.aborted || !beating) return clearInterval(ticker);
    const alive_time = Math.round((performance.now() - startedAt) * 1e6);
    sdk
      .heartBeat(id, { alive_time, ...(name === undefined ? {} : { process: name }), version: "development" })
      .then((beat) => heartBeats.push(beat))
      .catch((error: Error) => errors.push(error.message));
  }, Number(settings.heart_beat_timeout) / 1e6);

  const loop = async (group: string) => {
    while (!gone.signal.aborted) {
      try {
        const [job] = await sdk.jobs(id, group);
        if (job === undefined) {
          await wait(5_000 * pace);
          continue;
        }
        await work(job, group);
      } catch (error) {
        if (!gone.signal.aborted) errors.push(error instanceof Error ? error.message : String(error));
      }
      await wait(1_000 * pace);
    }
  };

  const work = async (job: Doc, group: string) => {
    const jobId = String(job.id);
    const attributes: Record<string, string> = {
      "runner_job.id": jobId,
      "runner_job.type": String(job.type),
      "log_stream.id": String(job.log_stream_id ?? ""),
    };
    const log = jobExporter(transport, {
      url,
      token,
      streamId: String(job.log_stream_id ?? ""),
      resource: {
        ...(settings.metadata as Record<string, string>),
        "runner.id": id,
        "runner.version": "development",
        "service.name": "runner",
      },
      attributes: () => attributes,
    });
    const done = new AbortController();
    const seen: string[] = [];
    const from = performance.now();
    const finish = async (executionId: string, ended: Ended) => {
      log.emit("info", "finished job", { name: String(job.type) });
      done.abort();
      await log.flush();
      log.stop();
      const row = { jobId, group, executionId, from, to: performance.now(), ended, seen, exports: log.statuses };
      if (!gone.signal.aborted) worked.push(row);
    };
    log.emit("info", "creating job execution");
    let executionId: string;
    try {
      executionId = String((await sdk.reserve(jobId)).id);
    } catch (error) {
      if (error instanceof SdkError) refusedReservations.push(error.status);
      await log.flush();
      log.stop();
      throw error;
    }
    attributes["runner_job_execution.id"] = executionId;
    log.emit("info", "getting job handler");
    now += 1;
    most = Math.max(most, now);
    try {
      const limit = AbortSignal.timeout(Number(job.execution_timeout ?? 0) / 1e6);
      const signal = AbortSignal.any([gone.signal, done.signal, limit]);
      const ctx: JobContext = {
        url,
        token,
        caFile: options.ca?.file ?? null,
        sdk,
        transport,
        job,
        jobId,
        executionId,
        tmp,
        signal,
        log,
        sleep: (ms) => wait(ms * pace),
        endProcess: () => setTimeout(kill, 5),
      };
      const handler = job.status === "available" ? handlers[String(job.type)]?.() : undefined;
      if (handler === undefined) {
        await finish(executionId, (await patch(ctx, "failed")) ? "failed" : "dropped");
        return;
      }
      const monitor = setInterval(async () => {
        if (signal.aborted) return clearInterval(monitor);
        const status = await sdk.job(jobId).then(
          (doc) => String(doc.status),
          () => "",
        );
        if (status !== "") seen.push(status);
        if (!["cancelled", "timed-out", "failed"].includes(status) || signal.aborted) return;
        clearInterval(monitor);
        await handler.gracefulShutdown?.(ctx).catch((error: Error) => errors.push(error.message));
        done.abort();
      }, 1_000);
      const ended = await runSteps(ctx, handler);
      clearInterval(monitor);
      await finish(executionId, ended);
    } finally {
      now -= 1;
    }
  };

  const ended = Promise.all(groups.map(loop)).then(() => undefined);
  return {
    settings,
    worked,
    busy: () => ({ now, most }),
    errors,
    heartBeats,
    refusedReservations,
    connections: transport.opened,
    ended,
    kill,
    stopBeating: () => {
      beating = false;
    },
  };
}

/** What ends the process at start (7). */
function checkSettings(settings: Doc): void {
  if (settings.metadata === null || settings.metadata === undefined) throw new Error("assignment to entry in nil map");
  if (!["DEBUG", "INFO", "WARN", "ERROR"].includes(String(settings.logging_level))) {
    throw new Error(`unable to parse logging level ${settings.logging_level}`);
  }
  if (!(Number(settings.heart_beat_timeout) > 0)) throw new Error("non-positive interval for NewTicker");
}

function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
