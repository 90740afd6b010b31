import { closeSync, openSync, readSync } from "node:fs";
import { newNonce, type OutputFile, openForTool, openOutputFile } from "../../kit/logs/output-file.ts";
import { createLogReader } from "../../kit/logs/reader.ts";
import { createShipper, type Shipper } from "../../kit/logs/shipper.ts";
import { createRedactor } from "../../kit/secrets/redactor.ts";
import { freeBytes } from "../../kit/workspace/index.ts";
import { LOG_ATTRIBUTES } from "../../protocol/native.ts";
import type { ExecutionRef } from "../controlplane/control-plane.ts";
import type { JobLog, LogFields } from "../handler.ts";
import type { RunnerDeps, RunnerOptions } from "../runner.ts";
import type { ExecutionFolder } from "./execution-folder.ts";

/**
 * The output of one execution: one append-only file for tools and runner, shipped by the log pipeline. Made with the
 * first byte, so that a job that says nothing has no file, no reader and no request.
 */
const TAIL_BYTES = 4 * 1024;
/** Redacted is more than what is shown, so that no secret is cut in two where the tail begins. */
const TAIL_WINDOW_BYTES = 64 * 1024;

export interface JobOutputDeps {
  readonly options: Pick<RunnerOptions, "logIntervalMs" | "logCapBytes" | "minFreeBytes">;
  readonly deps: Pick<RunnerDeps, "controlPlane" | "log">;
  readonly ref: ExecutionRef;
  readonly folder: ExecutionFolder;
  /** From before a restart; null: a new one. */
  readonly nonce: string | null;
  /** Lifecycle step and step of the work that output belongs to now. */
  readonly place: () => { readonly phase: string; readonly step: string };
  /** Aborted when the process goes. */
  readonly processSignal: AbortSignal;
}

export function createJobOutput({ options, deps, ref, folder, nonce: known, place, processSignal }: JobOutputDeps) {
  const redactor = createRedactor();
  const registered = new Set<string>();
  const nonce = known ?? newNonce();
  /** Where the lifecycle was when output reached this position of the file. */
  const places: { readonly from: number; readonly attributes: Record<string, string> }[] = [];
  let file: OutputFile | null = null;
  let shipper: Shipper | null = null;
  let readFd: number | null = null;
  let withheld: string | null = null;

  const attributesAt = (offset: number) => places.findLast((one) => one.from <= offset)?.attributes ?? {};
  const markPlace = () => {
    const { phase, step } = place();
    const attributes = {
      [LOG_ATTRIBUTES.phase]: phase,
      ...(step === "" ? {} : { [LOG_ATTRIBUTES.workflowStep]: step }),
    };
    const last = places.at(-1)?.attributes;
    if (last && last[LOG_ATTRIBUTES.phase] === phase && last[LOG_ATTRIBUTES.workflowStep] === (step || undefined))
      return;
    places.push({ from: file?.size() ?? 0, attributes });
  };

  const open = (): OutputFile | null => {
    if (file) return file;
    folder.make();
    const opened = openOutputFile(folder.output, { nonce, redact: redactor.redactText });
    if (!opened.ok) {
      deps.log.error("a job's output cannot be kept", { execution: ref.id, reason: opened.error.message });
      return null;
    }
    file = opened.value;
    readFd = openSync(folder.output, "r+");
    shipper = createShipper({
      path: folder.output,
      fd: readFd,
      reader: createLogReader({
        fd: readFd,
        nonce,
        redactor,
        attributesAt,
        ...(deps.controlPlane.dialect === "nuon" ? { maxLinesPerRecord: 1 } : {}),
      }),
      from: folder.shipped(),
      stored: folder.setShipped,
      sink: (batch) => deps.controlPlane.logs(ref, batch, processSignal),
      intervalMs: options.logIntervalMs,
      capBytes: options.logCapBytes,
      freeBytes: () => freeBytes(folder.root),
      minFreeBytes: options.minFreeBytes,
      log: deps.log,
    });
    if (withheld !== null) shipper.withhold(withheld);
    return file;
  };

  const say = (severity: "debug" | "info" | "warn" | "error") => (text: string, fields?: LogFields) => {
    const out = open();
    if (!out) return;
    markPlace();
    out.appendLine(severity, text, fields);
    shipper?.wake();
  };
  const log: JobLog = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  if (known !== null) open();

  return {
    log,
    /** Bytes of no tool, into the same file; false: not all of it could be written. */
    append(lines: string): boolean {
      const out = open();
      if (!out) return false;
      markPlace();
      const written = out.append(lines);
      shipper?.wake();
      return written;
    },
    nonce,
    redactor: {
      redactText: redactor.redactText,
      register: (...values: readonly (string | null | undefined)[]) => {
        redactor.register(...values);
        for (const value of values) if (value) registered.add(value);
      },
    },
    registered: () => [...registered],
    /** An fd that tools append to; the caller closes it. */
    openForTool(): number {
      open();
      markPlace();
      return openForTool(folder.output);
    },
    /** What was written since now, its last 4 KiB, redacted, without our own lines. */
    mark(): () => string {
      const from = file?.size() ?? 0;
      return () => {
        const size = file?.size() ?? 0;
        if (readFd === null || size <= from) return "";
        const start = Math.max(from, size - TAIL_WINDOW_BYTES);
        const bytes = Buffer.alloc(size - start);
        readSync(readFd, bytes, 0, bytes.length, start);
        return Buffer.from(redactor.redactBytes(bytes))
          .toString("utf8")
          .split("\n")
          .filter((line) => !line.startsWith(`\x1e${nonce}`))
          .join("\n")
          .replaceAll("\0", "")
          .slice(-TAIL_BYTES);
      };
    },
    wake: () => shipper?.wake(),
    withhold(reason: string): void {
      withheld = reason;
      shipper?.withhold(reason);
    },
    /** Ship what is written so far; gives up waiting (not shipping) after `ms`. A left-over child may still write. */
    async flush(ms: number): Promise<void> {
      await shipper?.flush(false, AbortSignal.any([AbortSignal.timeout(ms), processSignal]));
    },
    /** The last flush, and the end of the pipeline. */
    async finish(ms: number): Promise<void> {
      const end = await shipper?.flush(true, AbortSignal.any([AbortSignal.timeout(ms), processSignal]));
      if (end && end.pending > 0)
        deps.log.error("output of a job could not be delivered", { execution: ref.id, bytes: end.pending });
      shipper?.stop();
      file?.close();
      if (readFd !== null) closeSync(readFd);
      readFd = null;
      shipper = null;
    },
  };
}
