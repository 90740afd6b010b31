import type { OperationName } from "./operations.ts";

/** Where our coordinator answers other than Nuon's on purpose. docs/compatibility.md has the same rows, in this order. */
export interface Deviation {
  /** Empty: of no operation by itself. */
  readonly operations: readonly OperationName[];
  readonly here: string;
  readonly there: string;
  readonly why: string;
  /** Recorded scenarios of the Go runner that show it, with the statuses ours answers there. */
  readonly replayed?: readonly { readonly scenario: string; readonly statuses: readonly number[] }[];
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    operations: ["CreateRunnerJobExecution"],
    here: "Reservation is a compare-and-set; the loser gets 409 and changes nothing",
    there: "500, and the winner's job is cancelled",
    why: "two processes may share an id; the loser just polls on",
  },
  {
    operations: [
      "GetRunnerJobs",
      "CreateRunnerJobExecution",
      "UpdateRunnerJobExecution",
      "CreateRunnerJobExecutionOutputs",
    ],
    here: "One job at a time per runner, management apart",
    there: "the same by chance: one event loop",
    why: "its loops share one workspace folder, and the start of a job deletes what lies in it",
    replayed: [{ scenario: "two_jobs_in_two_groups", statuses: [409, 404] }],
  },
  {
    operations: ["GetRunnerJobs"],
    here: "A job that was cancelled, timed out or lost keeps its runner busy until the loop that worked on it polls again",
    there: "the next job is offered at once",
    why: "the process may still work on it ([until the loop that worked on the job asks again](../test/conformance/go-runner/queue.test.ts))",
  },
  {
    operations: ["CreateRunnerHeartBeat"],
    here: "15 s without a heart beat of the process that works on it and the job is lost; an apply is parked for a person",
    there: "checked once a minute, for any process of the id; failed",
    why: "a living `mng` process hides no dead `install` process, and a restart of one never ends the work of another",
  },
  {
    operations: ["CreateRunnerHeartBeat"],
    here: "A second process with the same id keeps nothing alive and ends nothing",
    there: "restart detection cancels the job of the first",
    why: "its start is later than the job's",
  },
  {
    operations: ["UpdateRunnerJobExecution"],
    here: "`finished` is recorded at once",
    there: "4 to 5 s later",
    why: "nothing to wait for",
  },
  {
    operations: ["UpdateRunnerJobExecution"],
    here: "A late status never overwrites an outcome (200, with the status that holds; the attempt is an event)",
    there: "it does",
    why: "one outcome per job",
  },
  {
    operations: ["CreateRunnerJobExecutionResult", "CreateRunnerJobExecutionOutputs"],
    here: "Error results and results without contents are kept; a repeat is 201",
    there: "dropped; a repeat with contents is 400",
    why: "the error's text becomes the reason of the job",
  },
  {
    operations: ["UpdateRunnerJobExecution"],
    here: "Unknown execution status: 400",
    there: "stored",
    why: "a state machine; the Go runner sends none",
  },
  {
    operations: ["UpdateRunnerJob", "UpdateRunnerJobExecution"],
    here: "Unknown ids on PATCH: 404",
    there: "200",
    why: "scope",
  },
  {
    operations: ["LockTerraformWorkspace"],
    here: "Held lock: 423 with the document",
    there: "400",
    why: "terraform can name the holder's lock",
  },
  {
    operations: ["LockTerraformWorkspace"],
    here: "A lock repeated with its own id: 200",
    there: "400",
    why: "its first answer may have been lost",
  },
  {
    operations: ["UnlockTerraformWorkspace"],
    here: "Unlock frees the lock of that id; without an id only a lock of this runner whose job no longer runs",
    there: "any lock",
    why: "the SDK unlocks on cancel while terraform still works",
  },
  {
    operations: ["UpdateTerraformState"],
    here: "State is fenced by lock id, serial and lineage",
    there: "nothing is checked",
    why: "a run that was given up cannot overwrite a newer state",
  },
  {
    operations: ["UpdateTerraformState", "UnlockTerraformWorkspace"],
    here: "Who names the held lock may save and unlock although its job ended, its token was rotated or its runner deleted",
    there: "–",
    why: "terraform never repeats a state POST after a 4xx",
  },
  {
    operations: ["LockTerraformWorkspace"],
    here: "A lock taken under an ended plan job's id belongs to the job that applies",
    there: "to the plan job",
    why: "a saved plan holds the address of the job that made it",
  },
  {
    operations: ["DeleteTerraformState"],
    here: "DELETE of the state deletes",
    there: "reports success and does nothing",
    why: "versions stay and can be downloaded",
  },
  {
    operations: [
      "GetTerraformCurrentStateData",
      "UnlockTerraformWorkspace",
      "DeleteTerraformStateJSON",
      "DeleteTerraformWorkspace",
    ],
    here: "A workspace out of reach is 404, on reads too",
    there: "204 or 200",
    why: 'scope; terraform takes both as "no state"',
  },
  {
    operations: ["LogStreamWriteLogs"],
    here: "Empty log export: 400, gzip is unpacked",
    there: "500",
    why: "a 500 drops the batch in any case",
  },
  {
    operations: [],
    here: "Wrong JSON types: 400 as `application/json`",
    there: "400 as `text/plain`",
    why: "the same words for our own runner",
  },
  {
    operations: [],
    here: "Unknown token: the same description, our own words for the cause",
    there: "a JWT parser's words",
    why: "there are no JWTs here",
  },
  {
    operations: ["GetRunnerSettings"],
    here: "Settings name the image `runner:latest`",
    there: "the image of the release",
    why: "**do not send `mng-runner-update-version` to a Go runner, and do not run it in mode `mng` on a machine whose image file matters**: that mode writes the image of the settings into it every 15 s",
  },
  {
    operations: ["GetRunnerJobs", "CreateRunnerJobExecution", "UpdateRunnerJobExecution"],
    here: "A job of a type that nobody knows is never offered; its routes are 404",
    there: "offered; the Go runner reserves it and fails it",
    why: "no runner could work it",
    replayed: [{ scenario: "unknown_job_type", statuses: [404] }],
  },
  {
    operations: ["UpdateRunnerJobV2Broken"],
    here: "PATCH of a runner finishes the one job it works on: 404 without one, 409 with several",
    there: "500, always",
    why: "the job's route was registered in the wrong place",
  },
  {
    operations: ["GetRunnerJobCompositePlan"],
    here: "Served",
    there: "on the public engine only",
    why: "a client of either engine is content",
  },
  {
    operations: ["GetActionWorkflowLatestConfig"],
    here: "The newest config of an action this runner worked on",
    there: "404, always",
    why: "the real handler reads a parameter that its route does not have",
  },
  {
    operations: ["GetHelmRelease"],
    here: "A missing release is 404",
    there: "500",
    why: "Helm's driver knows 404 only",
  },
  {
    operations: ["QueryHelmRelease"],
    here: "A query that finds nothing is 404, one with another key 400",
    there: "200 `[]`, and 500",
    why: "so that a first install works",
  },
  {
    operations: ["CreateHelmRelease"],
    here: "A release that exists is 409, a chart out of reach 404, a body that is no JSON 400",
    there: "400, 500, 500",
    why: "Helm's driver knows 409; scope",
  },
  {
    operations: ["UpdateHelmRelease", "DeleteHelmRelease"],
    here: "PUT and DELETE of a missing release are 404",
    there: "200",
    why: "Helm's driver knows 404",
  },
  {
    operations: ["UpdateHelmRelease"],
    here: "PUT changes the labels too",
    there: "labels keep the status of the creation",
    why: "a query by status finds what is true",
  },
  {
    operations: ["CreateHelmRelease", "UpdateHelmRelease", "DeleteHelmRelease"],
    here: "While another runner works on a chart, writes are 409",
    there: "anybody writes",
    why: "an execution that was given up cannot overwrite the releases of the one that took over",
  },
  {
    operations: ["GetHelmReleases", "GetHelmRelease"],
    here: "A release is answered byte for byte as Helm sent it",
    there: "encoded again, with `null` for what was absent",
    why: "Helm reads both",
  },
  {
    operations: ["RunnerOtelWriteTraces"],
    here: "A request with several resources is stored like any other",
    there: "never ends, and fills the table",
    why: "one request must not stop a server",
  },
  {
    operations: ["RunnerOtelWriteTraces", "RunnerOtelWriteMetrics"],
    here: "A body that is no OTLP JSON is 400",
    there: "500",
    why: "not a defect of ours; repeating it does not help",
  },
  {
    operations: ["CreateTerraformWorkspace", "DeleteTerraformWorkspace"],
    here: "DELETE removes a workspace the runner made itself; with a state, a lock or a job, or made by somebody else, it is 409",
    there: "200 for any id",
    why: "nobody loses a state by it",
  },
  {
    operations: ["DeleteTerraformStateJSON"],
    here: "DELETE of the states forgets what `state-json` stored",
    there: "200, whatever it did",
    why: "the state itself stays",
  },
  {
    operations: ["GetRunnerJobExecutions"],
    here: "Executions of a job come newest first",
    there: "in no stated order",
    why: "as the jobs list",
  },
  {
    operations: [],
    here: "Of the `X-Nuon-` headers only those of paging are sent",
    there: "version and trace id on each answer",
    why: "the Go runner reads none",
  },
  {
    operations: [],
    here: "JSON answers are `application/json`",
    there: "with `; charset=utf-8`",
    why: "the Go SDK takes both",
  },
  {
    operations: [],
    here: "No `org_id`: there are no orgs",
    there: "on most rows",
    why: "the Go runner does not read it",
  },
  {
    operations: [],
    here: "The admin API that `run-local` of the Go program calls (`/v1/runners`, `/v1/runner-groups`, service accounts) is 404",
    there: "on the internal engine",
    why: "not the runner API; give it `RUNNER_ID` and `RUNNER_API_TOKEN`",
  },
];
