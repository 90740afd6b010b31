import { passedBytes } from "../../../kit/base/passed-bytes.ts";
import { hasEnded } from "../../../protocol/enums.ts";
import type { LogLine } from "../../../protocol/operator.ts";
import { decodeLogsRequest } from "../../../protocol/otlp.ts";
import { readChange } from "../../changes/change-rows.ts";
import type { StoredBatch } from "../../logs/log-file.ts";
import type { LogStore } from "../../logs/log-store.ts";
import type { Store } from "../../store/store.ts";
import { changeView, jobsOfChange, jobView } from "./job-views.ts";
import { logLineOf } from "./log-line.ts";

/** A place in the log of a job or change: which stream of it, which stored batch, and how many records of that. */
export interface LogPlace {
  readonly stream: number;
  readonly position: number;
  readonly record: number;
}

export const LOG_START: LogPlace = { stream: 0, position: 0, record: 0 };

/** Cursor of a line: the place behind it. */
const formatCursor = (place: LogPlace): string => `${place.stream}.${place.position}.${place.record}`;

/** null: not a cursor of ours. */
export function parseCursor(text: string): LogPlace | null {
  const found = /^(\d{1,6})\.(\d{1,15})\.(\d{1,9})$/.exec(text);
  if (found === null) return null;
  return { stream: Number(found[1]), position: Number(found[2]), record: Number(found[3]) };
}

export interface LogDeps {
  readonly store: Store;
  readonly logs: LogStore;
}

/** Ids of the streams of a job or change in the order of its work; null when there is neither. */
export function streamsOf(store: Store, id: string): string[] | null {
  const change = readChange(store, id);
  const single = change === null ? store.sql.job.get(id) : null;
  if (change === null && single === null) return null;
  const jobs = change !== null ? jobsOfChange(store, change) : single !== null ? [single] : [];
  return jobs.flatMap((job) => {
    const ran = store.sql.executionsOfJob.all(job.id).map((execution) => execution.log_stream_id);
    // A Go runner writes before it has an execution.
    const early = store.sql.logStream.get(job.log_stream_id);
    return early === null || early.bytes === 0 || ran.includes(early.id) ? ran : [...ran, early.id];
  });
}

/** Ended, and its runner has nothing left to say. `graceMs`: how long a runner that fell silent is waited for. */
export function logIsComplete(store: Store, id: string, graceMs: number): boolean {
  const change = readChange(store, id);
  const job = change === null ? store.sql.job.get(id) : null;
  const doc = change !== null ? changeView(store, change) : job !== null ? jobView(store, job) : null;
  if (doc === null) return true;
  if (doc.finished_at === null && !hasEnded(doc.status)) return false;
  const jobs = change !== null ? jobsOfChange(store, change) : job !== null ? [job] : [];
  const last = jobs.flatMap((one) => store.sql.executionsOfJob.all(one.id)).at(-1);
  if (last === undefined || last.cleanup_at !== null) return true;
  return doc.finished_at !== null && store.clock.now() - Date.parse(doc.finished_at) > graceMs;
}

/** What is stored behind `from` now, a page per stored batch: one batch is in memory at a time. */
export async function* readLog(deps: LogDeps, id: string, from: LogPlace): AsyncGenerator<LogLine[]> {
  const streams = streamsOf(deps.store, id) ?? [];
  for (let stream = from.stream; stream < streams.length; stream++) {
    let { position, record } = stream === from.stream ? from : LOG_START;
    for await (const batch of deps.logs.batches(streams[stream] ?? "", position)) {
      const lines = linesOf(batch, stream).slice(record);
      if (lines.length > 0) yield lines;
      // Decoded, rendered and encoded, it leaves twice as much behind as when it was stored.
      passedBytes(2 * batch.payload.byteLength);
      position = batch.next;
      record = 0;
    }
  }
}

/** Stored batches were checked when they came; what cannot be read all the same is left out. */
function linesOf(batch: StoredBatch, stream: number): LogLine[] {
  const decoded = decodeLogsRequest(batch.payload);
  if (!decoded.ok) return [];
  const records = decoded.value.flatMap((group) => group.records.map((record) => ({ group, record })));
  return records.map(({ group, record }, index) => {
    const last = index === records.length - 1;
    const position = last ? batch.next : batch.position;
    return logLineOf(record, group.resource, formatCursor({ stream, position, record: last ? 0 : index + 1 }));
  });
}

/** The line's text exactly as it was printed. */
export const exactText = (line: LogLine): string => (line.partial ? line.text : `${line.text}\n`);
