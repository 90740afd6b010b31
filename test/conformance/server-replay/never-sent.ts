/** A recorded exchange that our runner has no part in, or whose request it never makes, with the reason. */
export interface Left {
  readonly operation: string;
  /** How its note begins. */
  readonly note: string;
  readonly why: string;
}

/** Nothing in the runner asks for it, or nothing was kept of the answer. */
export const NOT_OURS: readonly Left[] = [
  { operation: "(unregistered)", note: "404: wrong method", why: "the table of operations has no wrong method" },
  { operation: "CancelRunnerJob", note: "202", why: "a person's call on the public engine" },
  { operation: "(preflight)", note: "204", why: "browsers ask so, runners do not" },
  { operation: "(health)", note: "200: livez", why: "for who runs the server" },
  { operation: "(health)", note: "200: readyz", why: "for who runs the server" },
  { operation: "(health)", note: "200: version", why: "for who runs the server" },
  {
    operation: "GetRunnerAppConfig",
    note: "200: token of a runner of another org",
    why: "the recorder left its document out: it is the one of the first answer",
  },
];

const NO_JSON = "our bodies are always JSON";
const NO_BODY = "our bodies are never empty";
const TYPED = "our bodies have the types of the protocol";
const OTLP = "logs go as uncompressed protobuf, everything else as JSON";
const NAMED = "our requests always say who they are, in the header";

/** The answer is played to a proper request of ours instead: whatever caused it, we must understand it. */
export const ANSWER_ONLY: readonly Left[] = [
  { operation: "GetRunnerSettings", note: "401: no credentials", why: NAMED },
  { operation: "GetRunnerSettings", note: "401: malformed Authorization header", why: NAMED },
  { operation: "CreateRunnerHeartBeat", note: "400: body is not JSON", why: NO_JSON },
  { operation: "CreateRunnerHeartBeat", note: "400: wrong type", why: TYPED },
  { operation: "UpdateRunnerJobExecution", note: "400: not JSON", why: NO_JSON },
  { operation: "UpdateRunnerJobExecution", note: "400: no body", why: NO_BODY },
  { operation: "UpdateRunnerJobExecution", note: "200: body null", why: "we always say a status" },
  { operation: "UpdateRunnerJob", note: "400: not JSON", why: NO_JSON },
  { operation: "CreateRunnerJobExecution", note: "201: no body at all", why: "we send `null`, as the Go runner does" },
  { operation: "CreateRunnerJobExecutionResult", note: "400: no body", why: NO_BODY },
  { operation: "LogStreamWriteLogs", note: "500: gzip body", why: OTLP },
  { operation: "LogStreamWriteLogs", note: "500: OTLP/JSON body", why: OTLP },
  { operation: "RunnerOtelWriteTraces", note: "500: protobuf instead of JSON", why: OTLP },
  { operation: "RunnerOtelWriteMetrics", note: "500: not JSON", why: NO_JSON },
  { operation: "PublishMetrics", note: "400: not an array", why: TYPED },
  { operation: "LockTerraformWorkspace", note: "400: not JSON", why: NO_JSON },
  { operation: "UnlockTerraformWorkspace", note: "400: empty body", why: NO_BODY },
  { operation: "UpdateTerraformStateJSON", note: "200: any other bytes", why: NO_JSON },
  { operation: "CreateTerraformWorkspace", note: "400: fields missing", why: TYPED },
  { operation: "CreateHelmRelease", note: "500: not JSON", why: NO_JSON },
];
