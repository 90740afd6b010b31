import type { Span } from "../../../protocol/otlp-json.ts";
import { type SpanDoc, spanDoc } from "../../../protocol/reported.ts";
import type { Store } from "../store.ts";

/** Spans kept per runner, newest first to stay. */
export const SPANS_KEPT = 5_000;
/** Largest span as JSON, characters; a larger one loses its attributes and events. */
const SPAN_LIMIT = 16_384;

/** Keeps spans a runner reported, with the job they belong to where it is one of the runner's. */
export function saveSpans(
  store: Store,
  runnerId: string,
  spans: readonly { readonly span: Span; readonly jobId: string | null }[],
): void {
  if (spans.length === 0) return;
  store.db.transaction(() => {
    const put = store.db.prepare<unknown, [string, string | null, string, string, string, number]>(
      "INSERT INTO runner_spans (runner_id, job_id, trace_id, span_id, json, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    );
    for (const { span, jobId } of spans.slice(-SPANS_KEPT)) {
      put.run(runnerId, jobId, span.trace_id, span.span_id, textOf(span), store.clock.now());
    }
    store.db
      .prepare<unknown, [string, string, number]>(
        `DELETE FROM runner_spans WHERE runner_id = ? AND seq <= (
           SELECT seq FROM runner_spans WHERE runner_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
      )
      .run(runnerId, runnerId, SPANS_KEPT);
  });
}

/** Spans of a job in the order they came. */
export function spansOfJob(store: Store, jobId: string): SpanDoc[] {
  return store.db
    .prepare<{ json: string }, [string]>("SELECT json FROM runner_spans WHERE job_id = ? ORDER BY seq")
    .all(jobId)
    .map((row) => spanDoc.parse(JSON.parse(row.json)));
}

function textOf(span: Span): string {
  const text = JSON.stringify(span);
  return text.length <= SPAN_LIMIT ? text : JSON.stringify({ ...span, attributes: {}, events: [] });
}
