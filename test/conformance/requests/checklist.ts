/** A test, by its file and its title. */
type Proof = readonly [file: string, title: string];

/** A line of "Control plane that the real Go runner can work with" (nuon-runner-api.md 12.1) and the tests that show it. */
export interface ChecklistLine {
  readonly says: string;
  readonly shown: readonly Proof[];
}

const GO = "test/conformance/go-runner";
const REPLAY = "test/conformance/requests/replay.test.ts";
const API = "test/integration/runner-api-nuon.test.ts";
const HELM = "test/integration/runner-api-helm.test.ts";
const STATUS = "gets the status the runner was content with, or one of a listed deviation";
const TYPE = "gets the content type by which the runner picks its decoder";
const FULL_JOB = "goes from poll to finished, with its outputs, its log and one event for each change";

export const CHECKLIST: readonly ChecklistLine[] = [
  {
    says: "Serve at host root; bearer header and ?token=; GET/POST/DELETE state, POST lock and unlock.",
    shown: [
      [`${GO}/scope.test.ts`, "the owner's token works in the header and as ?token=:"],
      [REPLAY, STATUS],
    ],
  },
  {
    says: "Settings: compact JSON; metadata; logging_level; heart_beat_timeout; within 1 s.",
    shown: [
      [`${GO}/start.test.ts`, "settings are compact JSON in which a text search finds the image, on one line"],
      [API, "settings are compact JSON with everything without which the Go runner does not start"],
    ],
  },
  {
    says: "Exact success statuses; JSON content type on JSON, text/plain for plans.",
    shown: [
      [REPLAY, STATUS],
      [REPLAY, TYPE],
    ],
  },
  {
    says: "Body null on POST executions; outputs null; missing success; trailing newlines; unknown extra fields.",
    shown: [
      [
        `${GO}/jobs.test.ts`,
        "a result twice, without success, without contents and outputs null are all taken and kept",
      ],
      [REPLAY, STATUS],
    ],
  },
  {
    says: "Jobs list: no status and limit needed; only offerable jobs, each available, with timeout and log stream.",
    shown: [
      [`${GO}/errors.test.ts`, "the jobs list takes what the real server takes: no group, status, limit, page"],
      [`${GO}/queue.test.ts`, "is offered one job only, however many loops ask within the same millisecond"],
      [REPLAY, "gets fields in the order of the real server, with every one that is always there"],
    ],
  },
  {
    says: "Job GET stays 200 during execution; cancelled, timed-out or failed stops the runner.",
    shown: [
      [`${GO}/jobs.test.ts`, "is read once a second while it works and stays readable"],
      [`${GO}/terraform.test.ts`, "an apply that is cancelled ends interrupted, its state saved and its lock free"],
    ],
  },
  {
    says: "Detect timeouts, crashes and cancels yourself; terminal reports may never come.",
    shown: [[`${GO}/loss.test.ts`, "has lost its job after 15 s, though its loops and its monitor go on"]],
  },
  {
    says: "OTLP protobuf uncompressed (gzip optional), 2xx; never 500 for what may be repeated.",
    shown: [
      [API, "is appended, packed or not, before and after the reservation"],
      [API, "without records or without a stream is refused, never with a 500"],
    ],
  },
  {
    says: "Finish jobs yourself from execution status; PATCH job is a hint.",
    shown: [
      [API, "goes from poll to finished, and the server finishes it from the execution's status"],
      [`${GO}/jobs.test.ts`, "is finished once, however often the process says so"],
    ],
  },
  {
    says: "Tolerate repeats: eleven identical PATCHes, duplicate finished, several error results.",
    shown: [
      [
        `${GO}/jobs.test.ts`,
        "eleven equal PATCHes in a burst, a second finished and a late failed are all 200 and one outcome",
      ],
      [API, "keeps error results and repeated reports"],
    ],
  },
  {
    says: "state-json is a JSON string with base64; lock keys capitalised; 423 with the document; unlock {}.",
    shown: [
      [API, "locks with ?token=, meets 423 with the document, and unlocks by {} only what no longer runs"],
      [
        "test/integration/runner-api-workspaces.test.ts",
        "forgets what state-json stored, and nothing else, when its states are deleted",
      ],
    ],
  },
  {
    says: "Helm: 404 for missing, 409 for existing, 201 on create.",
    shown: [
      [HELM, "that are missing are 404 on read, update, delete and query; one that exists is 409"],
      [HELM, "are created with 201 and the row, read back byte for byte, listed, updated with their labels, deleted"],
    ],
  },
  {
    says: "Plan field names with Go casing; byte fields base64.",
    shown: [
      ["test/conformance/named-keys.test.ts", "has no field, kind of value or word that our schemas do not name"],
      [`${GO}/jobs.test.ts`, "has run, config and plan documents whose i-th steps are the same step"],
    ],
  },
  {
    says: "If two processes may share a runner id, refuse the second reservation with any non-201.",
    shown: [[`${GO}/queue.test.ts`, "race for a job: one gets it, the others a refusal without any effect on it"]],
  },
  {
    says: "PATCH 200 with a JSON body; executions, result, outputs, heart beats 201.",
    shown: [
      [REPLAY, STATUS],
      [REPLAY, "gets a body that fits the schema of its operation and names every field"],
    ],
  },
  {
    says: "Never answer a state POST with 4xx for a passing condition.",
    shown: [
      [
        `${GO}/terraform.test.ts`,
        "a state damaged on its way is a passing condition, so that terraform sends it again",
      ],
      ["internal/coordinator/api/app.test.ts", "a disk that is full is told as a passing condition, a defect is not"],
    ],
  },
  {
    says: "After a cancel or timeout do not expect the next job of that group at once; report the job yourself.",
    shown: [
      [`${GO}/queue.test.ts`, "is offered nothing after a cancel until the loop that worked on the job asks again"],
      [API, "that was cancelled stays cancelled whatever comes late"],
    ],
  },
  {
    says: "Artifacts over HTTPS; missing or outdated credentials 401 with WWW-Authenticate: Basic.",
    shown: [
      [`${GO}/artifacts.test.ts`, "is pulled whole by oras-go, with Basic credentials after a 401 and over HTTPS"],
      [
        `${GO}/artifacts.test.ts`,
        "is pulled twice by a client that remembers the first job's credentials for the host",
      ],
    ],
  },
  {
    says: "Six polls within a few ms every 5 s; exit statuses mean nothing.",
    shown: [
      [`${GO}/queue.test.ts`, "is offered one job only, however many loops ask within the same millisecond"],
      [`${GO}/jobs.test.ts`, FULL_JOB],
    ],
  },
];
