import { type Clock, systemClock } from "../../internal/kit/base/clock.ts";
import { openStream, type StreamOpener, type StreamState } from "../../internal/kit/sse/stream.ts";
import { hasEnded } from "../../internal/protocol/enums.ts";
import { fail, ok, RunnerError, reasonOf } from "../../internal/protocol/errors.ts";
import { eventDoc, type JobShow, jobShow, type LogLine, logLine } from "../../internal/protocol/operator.ts";
import type { OperatorClient } from "./operator-client.ts";

/** What a follower of a job is told, in order. */
export interface Watcher {
  /** The job as it stands now; called at every change. */
  readonly job: (job: JobShow) => void;
  readonly line: (line: LogLine) => void;
}

/** A runner that died cannot report its cleanup: this long after the end nobody waits for it any more. */
const CLEANUP_GRACE_MS = 60_000;
/** The log's own end follows the job's end at once; a stream that does not end by then is read in one go instead. */
const LOG_END_MS = 2_000;
/** Beside the events: a lost one must not leave a command waiting. */
const LOOK_AGAIN_MS = 10_000;

/** Follows a job or a change until it has ended and its last execution is cleaned up. Throws RunnerError. */
export async function followJob(
  client: OperatorClient,
  id: string,
  watcher: Watcher,
  deps: { readonly clock?: Clock; readonly signal?: AbortSignal } = {},
): Promise<JobShow> {
  const clock = deps.clock ?? systemClock;
  const path = `/jobs/${encodeURIComponent(id)}`;
  const log = followLog(client, path, watcher.line);
  let job = await client.get(path, jobShow);
  watcher.job(job);
  const changes = watchEvents(client, job);
  let endedAt: number | null = null;
  try {
    while (!isOver(job) && !deps.signal?.aborted) {
      if (hasEnded(job.status)) endedAt ??= clock.monotonic();
      if (endedAt !== null && clock.monotonic() - endedAt > CLEANUP_GRACE_MS) break;
      await changes.next(clock, deps.signal);
      job = await client.get(path, jobShow);
      watcher.job(job);
    }
    if (!deps.signal?.aborted) await log.rest(clock);
    return job;
  } finally {
    changes.close();
    log.close();
  }
}

/** Ended, and nothing of it is left behind. */
function isOver(job: JobShow): boolean {
  if (!hasEnded(job.status)) return false;
  const last = job.executions.at(-1);
  return last === undefined || job.events.some((event) => event.what === "cleanup" && event.execution_id === last.id);
}

/** Wakes whenever the timeline of the job, or of a job of the change, grew. */
function watchEvents(client: OperatorClient, job: JobShow) {
  let changed = false;
  let wake: (() => void) | null = null;
  const stream = openStream({
    api: opener(client),
    path: "/events/stream",
    lastId: String(Math.max(0, ...job.events.map((event) => event.seq))),
    endsOnClose: () => false,
    onState: () => {},
    onMessage: ({ data }) => {
      const event = eventDoc.safeParse(parse(data));
      if (event.success && event.data.job_id !== job.id && event.data.change_id !== job.id) return;
      changed = true;
      wake?.();
    },
  });
  return {
    close: () => stream.close(),
    async next(clock: Clock, signal: AbortSignal | undefined) {
      const woken = new AbortController();
      wake = () => woken.abort();
      const stop = signal ? AbortSignal.any([signal, woken.signal]) : woken.signal;
      if (!changed) await clock.sleep(LOOK_AGAIN_MS, stop);
      changed = false;
    },
  };
}

/** Lines of a job's log as they come, each once. */
export function followLog(client: OperatorClient, path: string, emit: (line: LogLine) => void) {
  let cursor = "";
  let over: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  const take = (text: string) => {
    const line = logLine.safeParse(parse(text));
    if (!line.success) return;
    cursor = line.data.cursor;
    emit(line.data);
  };
  const stream = openStream({
    api: opener(client),
    path: `${path}/logs/stream`,
    lastId: "",
    endsOnClose: () => false,
    onState: (state: StreamState) => state === "ended" && over(),
    onMessage: ({ data }) => take(data),
  });
  return {
    ended,
    close: () => stream.close(),
    /** Everything up to now; the job has ended. */
    async rest(clock: Clock) {
      const late = new AbortController();
      await Promise.race([ended, clock.sleep(LOG_END_MS, late.signal)]);
      late.abort();
      stream.close();
      const text = await client.text(`${path}/logs${cursor ? `?after=${encodeURIComponent(cursor)}` : ""}`);
      for (const line of text.split("\n")) if (line !== "") take(line);
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Opens event streams for `openStream`, which keeps them alive. */
function opener(client: OperatorClient): StreamOpener {
  const { url, key, ca } = client.access;
  return {
    async open(path, headers, signal) {
      try {
        const response = await fetch(`${url}/api/v1${path}`, {
          headers: { ...headers, Authorization: `Bearer ${key}`, Accept: "text/event-stream" },
          signal,
          redirect: "error",
          // A stream may be silent for as long as the job is: its end is openStream's business.
          timeout: false,
          ...(ca === undefined ? {} : { tls: { ca } }),
        } as BunFetchRequestInit);
        if (response.ok) return ok(response);
        await response.body?.cancel();
        const away = response.status === 429 || response.status >= 500;
        return fail(new RunnerError(away ? "unreachable" : "refused", `the coordinator answered ${response.status}`));
      } catch (cause) {
        return fail(new RunnerError("unreachable", reasonOf(cause), { cause }));
      }
    },
  };
}
