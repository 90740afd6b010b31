import type { LogBatch } from "../../kit/logs/types.ts";
import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import { encodeLogsRequest } from "../../protocol/otlp.ts";
import type { ExecutionRef } from "./control-plane.ts";

/** Who exports: goes into the resource of every request (nuon-runner-api.md 8.3). */
export interface Exporter {
  readonly runnerId: string;
  readonly version: string;
  /** Address of the API: the schema URL of the resource. */
  readonly schemaUrl: string;
  /** Facts of the runner group from its settings; copied into the resource. */
  readonly metadata?: Readonly<Record<string, string | null>> | null | undefined;
}

/** A batch as an OTLP `ExportLogsServiceRequest`, with the attributes a Nuon control plane indexes. */
export function encodeLogBatch(execution: ExecutionRef, batch: LogBatch, exporter: Exporter): Uint8Array {
  const about = {
    [LOG_ATTRIBUTES.jobId]: execution.jobId,
    [LOG_ATTRIBUTES.jobType]: execution.jobType,
    [LOG_ATTRIBUTES.executionId]: execution.id,
    ...(execution.logStreamId === null ? {} : { [LOG_ATTRIBUTES.streamId]: execution.logStreamId }),
  };
  return encodeLogsRequest({
    resource: resourceOf(exporter),
    schemaUrl: exporter.schemaUrl,
    scope: "oteljob",
    records: batch.records.map((record) => ({
      time: record.time,
      severity: record.severity,
      body: record.text,
      ...(record.span ? { span: record.span } : {}),
      attributes: {
        ...about,
        ...record.attributes,
        [LOG_ATTRIBUTES.source]: record.source,
        ...(record.partial ? { [LOG_ATTRIBUTES.partial]: true } : {}),
      },
    })),
  });
}

function resourceOf(exporter: Exporter): Record<string, string> {
  const known = Object.entries(exporter.metadata ?? {}).filter((pair): pair is [string, string] => pair[1] !== null);
  return {
    ...Object.fromEntries(known),
    "runner.id": exporter.runnerId,
    "runner.version": exporter.version,
    "service.name": "runner",
  };
}
