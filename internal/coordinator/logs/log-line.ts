import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import type { LogLine } from "../../protocol/operator.ts";
import { type Attributes, type AttributeValue, type DecodedLogs, decodeLogsRequest } from "../../protocol/otlp.ts";
import type { StoredBatch } from "./log-file.ts";

/** A place in a stream: the batch and the record in it. On the wire `<position>.<index>`. */
export interface Cursor {
  readonly position: number;
  readonly index: number;
}

/** null: not a cursor of ours. An empty text is the start. */
export function parseCursor(text: string): Cursor | null {
  if (text === "") return { position: 0, index: 0 };
  const found = /^(\d{1,15})\.(\d{1,9})$/.exec(text);
  // A cursor names a line that was read: one goes on behind it.
  return found ? { position: Number(found[1]), index: Number(found[2]) + 1 } : null;
}

/** Lines of one batch from record `skip` on. A batch was checked when it was stored; a damaged one has none. */
export function* linesOf(batch: StoredBatch, skip: number): Generator<LogLine> {
  const decoded = decodeLogsRequest(batch.payload);
  if (!decoded.ok) return;
  let index = 0;
  for (const group of decoded.value) {
    for (const record of group.records) {
      if (index >= skip) yield lineOf(group, record, `${batch.position}.${index}`);
      index += 1;
    }
  }
}

function lineOf(group: DecodedLogs, record: DecodedLogs["records"][number], cursor: string): LogLine {
  const { attributes } = record;
  const nanoseconds = record.time === 0n ? record.observed : record.time;
  return {
    cursor,
    time: new Date(Number(nanoseconds / 1_000_000n)).toISOString(),
    severity: record.severity,
    source: text(attributes, LOG_ATTRIBUTES.source) || "tool",
    execution_id: text(attributes, LOG_ATTRIBUTES.executionId) || text(group.resource, LOG_ATTRIBUTES.executionId),
    phase: text(attributes, LOG_ATTRIBUTES.phase),
    step: text(attributes, LOG_ATTRIBUTES.workflowStep),
    text: asText(record.body),
    partial: attributes[LOG_ATTRIBUTES.partial] === true,
  };
}

const text = (attributes: Attributes, key: string): string => {
  const value = attributes[key];
  return typeof value === "string" ? value : "";
};

function asText(body: AttributeValue): string {
  if (typeof body === "string") return body;
  return JSON.stringify(body, (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value)) ?? "";
}

/** Number of records in a request. */
export function countRecords(groups: readonly DecodedLogs[]): number {
  return groups.reduce((sum, group) => sum + group.records.length, 0);
}
