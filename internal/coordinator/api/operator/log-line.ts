import { LOG_ATTRIBUTES } from "../../../protocol/native.ts";
import type { LogLine } from "../../../protocol/operator.ts";
import type { Attributes, DecodedRecord } from "../../../protocol/otlp.ts";

/** A stored record as people read it. What stands in the resource counts where the record itself is silent. */
export function logLineOf(record: DecodedRecord, resource: Attributes, cursor: string): LogLine {
  const text = (key: string): string => {
    const value = record.attributes[key] ?? resource[key];
    return typeof value === "string" ? value : "";
  };
  return {
    cursor,
    time: timeText(record.time === 0n ? record.observed : record.time),
    severity: record.severity,
    source: sourceOf(record),
    execution_id: text(LOG_ATTRIBUTES.executionId),
    phase: text(LOG_ATTRIBUTES.phase),
    step: text(LOG_ATTRIBUTES.workflowStep),
    text: typeof record.body === "string" ? record.body : JSON.stringify(record.body, printable),
    partial: record.attributes[LOG_ATTRIBUTES.partial] === true,
  };
}

const printable = (_key: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);

/** Our runner says so; a Go runner marks the output of a step by the step's name alone. */
function sourceOf(record: DecodedRecord): string {
  const said = record.attributes[LOG_ATTRIBUTES.source];
  if (said === "tool" || said === "runner") return said;
  return record.attributes[LOG_ATTRIBUTES.workflowStep] === undefined ? "runner" : "tool";
}

/** RFC 3339 with nanoseconds; a time no clock can have is the epoch. */
function timeText(ns: bigint): string {
  const ms = ns / 1_000_000n;
  if (ms > 8_640_000_000_000_000n || ms < 0n) return "1970-01-01T00:00:00.000000000Z";
  const fraction = (ns % 1_000_000_000n).toString().padStart(9, "0");
  return `${new Date(Number(ms)).toISOString().slice(0, 19)}.${fraction}Z`;
}
