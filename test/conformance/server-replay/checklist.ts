/** A test, by its file under test/ or internal/ and its title. */
type Proof = readonly [file: string, title: string];

/** A line of "Runner that works with the real control plane" (nuon-runner-api.md 12.2) and the tests that show it. */
export interface ChecklistLine {
  readonly says: string;
  readonly shown: readonly Proof[];
}

const ACTIONS = "test/conformance/server-replay/actions.test.ts";
const OPERATIONS = "test/conformance/server-replay/operations.test.ts";
const RESERVATIONS = "test/conformance/server-replay/reservations.test.ts";
const ROUTES = "test/conformance/server-replay/routes.test.ts";
const START = "test/conformance/server-replay/start.test.ts";
const TERRAFORM = "test/conformance/server-replay/terraform.test.ts";
const DIALECT = "test/integration/nuon-dialect.test.ts";
const IN_ORDER = "an action of a sandbox-mode org is played through, in the recorded order";

export const CHECKLIST: readonly ChecklistLine[] = [
  {
    says: "Env names of 1.1; send X-Nuon-Client-Version; do not send an org header.",
    shown: [
      ["test/integration/bad-days-jobs.test.ts", "a token that it does not know: exit code 3 and what to check"],
      [START, "an idle runner sends its beats, polls each group of its mode without a status, and nothing else"],
      ["test/conformance/server-replay/well-formed.test.ts", "a request without our version, or with an org, is found"],
    ],
  },
  {
    says: "Poll per group without status; expect newest first and absent zero fields.",
    shown: [
      [START, "an idle runner sends its beats, polls each group of its mode without a status, and nothing else"],
      [DIALECT, "is taken oldest first, although lists are newest first"],
      [DIALECT, "that a full list hides is found"],
      [DIALECT, "polls go per group until one list for all is proven, then one request serves"],
      [DIALECT, "a list that is null is an empty one"],
      [OPERATIONS, "every recorded answer is played to the runner, or stands in the list with the reason why not"],
    ],
  },
  {
    says: "Reserve exactly once per job; on error re-read the job before trying again, because a repeat can cancel it.",
    shown: [
      [RESERVATIONS, "a reservation whose answer is lost is recognised by its nonce and never sent twice"],
      [RESERVATIONS, "a reservation that the server answers by cancelling the job is not sent again, and nothing runs"],
      [RESERVATIONS, "a job that is gone when it is reserved is left alone"],
      [DIALECT, "that may not have arrived is asked about, not sent again"],
      [DIALECT, "made before a crash is taken up by the next process under the same key"],
    ],
  },
  {
    says: "PATCH sequence of 2.18; terminal status with a fresh deadline; treat 200 as no proof.",
    shown: [
      [ACTIONS, IN_ORDER],
      [ACTIONS, "work that outlasts its timeout is reported as timed-out before the server gives it up"],
      [DIALECT, "that the server took and did not keep is written again"],
      [DIALECT, "that somebody else has overwritten is told as not recorded, and left"],
      [RESERVATIONS, "an execution that the server does not know in the end is said, not taken for done"],
    ],
  },
  {
    says: "Heart beat every 5 s, first one immediately, well under the 15 s limit; alive_time monotonic per process.",
    shown: [
      [DIALECT, "heart-beats start at once and go on, with a process name and an alive_time that only grows"],
      [DIALECT, "the beat follows the server's settings without a restart, and stays within what the server waits for"],
      [DIALECT, "a process is named as the Go runner names it, and has no name when it works every group"],
      [START, "a heart-beat that the real server refuses is said once and goes on"],
    ],
  },
  {
    says: "Poll the job every 1 s or slower; stop on cancelled, timed-out, failed.",
    shown: [
      [ACTIONS, "a cancel that the server shows stops the script, and the server is told so"],
      [DIALECT, "that the server has as "],
      [DIALECT, "a running job is looked at no more often than once a second"],
    ],
  },
  {
    says: "Put all result data into contents_compressed; send outputs once.",
    shown: [
      [TERRAFORM, "the real terraform plans against the recorded backend, and the saved plan is the result"],
      [TERRAFORM, "a terraform plan of a sandbox-mode org stores the made-up state and reports the made-up plan"],
      [RESERVATIONS, "outputs that the server has already are not an error of the job"],
      [ACTIONS, IN_ORDER],
    ],
  },
  {
    says: "Export logs as protobuf without compression; attribute names of 8.3.",
    shown: [
      [DIALECT, "arrive with the attributes and the resource the server indexes, uncompressed"],
      [RESERVATIONS, "a log stream that the server does not know holds up nothing"],
    ],
  },
  {
    says: "Decode plan text/plain; accept both Go and camel casing.",
    shown: [
      [DIALECT, "has its plan as the exact text the server stores, or none"],
      ["test/fuzz/plan-parsers.test.ts", "is read with keys in any case, as Go does"],
      [ROUTES, "an empty plan text is replaced by the server's composite plan, where it has one"],
    ],
  },
  {
    says: "Respect execution_timeout with a margin (server cuts at the same instant, measured from execution creation).",
    shown: [
      [DIALECT, "ends before the server would give it up: the lease has a margin"],
      [ACTIONS, "work that outlasts its timeout is reported as timed-out before the server gives it up"],
    ],
  },
];
