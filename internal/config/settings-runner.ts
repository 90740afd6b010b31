import { RUNNER_MODES } from "../protocol/enums.ts";
import type { CommandName } from "./commands.ts";
import { OPERATOR } from "./operator-commands.ts";
import type { Setting } from "./setting.ts";

const RUNNING = ["run", "run-local", "up"] as const satisfies readonly CommandName[];
/** What `doctor` needs to know to meet what `run` would meet. */
const CONNECTING = ["run", "run-local", "doctor"] as const satisfies readonly CommandName[];

/** What a runner is told: identity, place, capacity, limits. */
export const RUNNER_SETTINGS = {
  apiUrl: {
    flag: "api-url",
    env: "RUNNER_API_URL",
    type: "url",
    commands: CONNECTING,
    description: "The control plane.",
    otherwise: "required by run",
  },
  runnerId: {
    flag: "runner-id",
    env: "RUNNER_ID",
    type: "string",
    commands: CONNECTING,
    description: "Id of this runner on the control plane.",
    otherwise: "required by run",
  },
  apiToken: {
    flag: "api-token",
    env: "RUNNER_API_TOKEN",
    type: "string",
    secret: true,
    commands: CONNECTING,
    description:
      "Token of this runner; as a flag it shows in the process list, so prefer the variable or --token-file.",
    otherwise: "required by run, or --token-file",
  },
  tokenFile: {
    flag: "token-file",
    env: "RUNNER_TOKEN_FILE",
    type: "path",
    commands: CONNECTING,
    description: "File with the token on one line; used when no token is given.",
  },
  mode: {
    flag: "mode",
    env: "RUNNER_MODE",
    type: "enum",
    values: RUNNER_MODES,
    default: "all",
    commands: ["run", "doctor"],
    description:
      "Job groups to work: all (but management), install (all but build and management), org (sync, build, operations), mng (management).",
  },
  dialect: {
    flag: "dialect",
    env: "RUNNER_DIALECT",
    type: "enum",
    values: ["native", "nuon"],
    commands: CONNECTING,
    description: "Protocol of the control plane.",
    otherwise: "found by asking the control plane",
  },
  stateDir: {
    flag: "state-dir",
    env: "RUNNER_STATE_DIR",
    type: "path",
    commands: ["run", "up", "doctor"],
    description: "Journal, instance id and the folders of running jobs; one runner per folder.",
    otherwise: "run: /var/lib/runner/<mode> as root, else $XDG_STATE_HOME/runner/<mode>; up: ./.runner",
  },
  concurrency: {
    flag: "concurrency",
    env: "RUNNER_CONCURRENCY",
    type: "slots",
    commands: RUNNING,
    description: "Jobs at once per group, GROUP=N with commas between; `all=N` for every group not named.",
    otherwise: "actions=4, scripts=4, deploy, sync, operations, containers and plugins=2, others 1",
  },
  label: {
    flag: "label",
    env: "RUNNER_LABEL",
    type: "labels",
    commands: ["run", "up", "runners create"],
    description: "KEY=VALUE that jobs can require, with commas between.",
  },
  drainTimeout: {
    flag: "drain-timeout",
    env: "RUNNER_DRAIN_TIMEOUT",
    type: "duration",
    min: "0s",
    max: "7d",
    commands: ["run"],
    description: "How long running jobs may go on after the first SIGTERM before they are cancelled.",
    otherwise: "as long as they need",
  },
  minFree: {
    flag: "min-free",
    env: "RUNNER_MIN_FREE",
    type: "bytes",
    min: "0B",
    max: "1PiB",
    default: "256MiB",
    commands: [...RUNNING, "doctor"],
    description: "Free space of the state directory below which no job is taken.",
  },
  logCap: {
    flag: "log-cap",
    env: "RUNNER_LOG_CAP",
    type: "bytes",
    min: "1MiB",
    max: "1PiB",
    default: "4GiB",
    commands: RUNNING,
    description: "Output of one job kept while it cannot be shipped; more is dropped with a notice that counts it.",
  },
  logInterval: {
    flag: "log-interval",
    env: "RUNNER_LOG_INTERVAL",
    type: "duration",
    min: "10ms",
    max: "10s",
    default: "250ms",
    commands: RUNNING,
    description: "Longest wait between a line of output and its shipping.",
  },
  healthListen: {
    flag: "health-listen",
    env: "RUNNER_HEALTH_LISTEN",
    type: "address",
    commands: ["run"],
    description: "HOST:PORT for /livez, /readyz, /metrics and /status; port 0 is any free one.",
    otherwise: "not served",
  },
  caFile: {
    flag: "ca-file",
    env: "RUNNER_CA_FILE",
    type: "path",
    commands: [...CONNECTING, ...OPERATOR],
    description: "PEM file of a private certificate authority for the control plane.",
  },
  toolsDir: {
    flag: "tools-dir",
    env: "RUNNER_TOOLS_DIR",
    type: "path",
    commands: [...RUNNING, "doctor"],
    description: "Cache of fetched tools, shared by jobs.",
    otherwise: "runner/tools in $XDG_CACHE_HOME, else ~/.cache",
  },
  toolsMirror: {
    flag: "tools-mirror",
    env: "RUNNER_TOOLS_MIRROR",
    type: "url",
    commands: [...RUNNING, "doctor"],
    description: "Where tools are fetched instead of from their vendors; checksums are checked all the same.",
  },
  providerMirror: {
    flag: "provider-mirror",
    env: "RUNNER_PROVIDER_MIRROR",
    type: "string",
    commands: RUNNING,
    description: "Folder or https address that every Terraform provider comes from, in place of the registries.",
  },
} as const satisfies Record<string, Setting>;
