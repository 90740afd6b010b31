import type { GoTransport } from "./http.ts";
import type { Exporter } from "./otlp.ts";
import type { Doc, Sdk } from "./sdk.ts";

/** What a handler of the Go runner works with. */
export interface JobContext {
  readonly url: string;
  readonly token: string;
  /** PEM of a private CA (`SSL_CERT_FILE`), null without one. */
  readonly caFile: string | null;
  readonly sdk: Sdk;
  readonly transport: GoTransport;
  readonly job: Doc;
  readonly jobId: string;
  readonly executionId: string;
  /** Shared by all jobs of the process, as `/tmp` is for the real one. */
  readonly tmp: string;
  /** Aborted by cancel, time-out of the job and the end of the process. */
  readonly signal: AbortSignal;
  readonly log: Exporter;
  /** Sleep that real time shortens for tests. */
  sleep(ms: number): Promise<void>;
  /** Ends the process after this job, as shutdown handlers do. */
  endProcess(): void;
}

/** Steps of a handler; absent ones do nothing. */
export interface GoHandler {
  fetch?(ctx: JobContext): Promise<void>;
  validate?(ctx: JobContext): Promise<void>;
  initialize?(ctx: JobContext): Promise<void>;
  exec?(ctx: JobContext): Promise<void>;
  outputs?(ctx: JobContext): Promise<unknown>;
  cleanup?(ctx: JobContext): Promise<void>;
  /** Runs beside the step that works when the job was cancelled, failed or timed out on the server. */
  gracefulShutdown?(ctx: JobContext): Promise<void>;
}

/** A new one per job: the real ones are singletons that are reset. */
export type GoHandlers = Readonly<Record<string, () => GoHandler>>;
