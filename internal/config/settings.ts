import { RUNNER_MODES } from "../protocol/enums.ts";
import { COMMAND_NAMES, type CommandName } from "./commands.ts";
import type { Setting, ValueOf } from "./setting.ts";

const EVERY = COMMAND_NAMES;
const OPERATOR = COMMAND_NAMES.filter((name) => /^(job|runners|workspaces) /.test(name));
const RUNNING = ["run", "run-local", "up"] as const satisfies readonly CommandName[];
const PRINTING = [...OPERATOR, "run-local", "version"] as const satisfies readonly CommandName[];

/** The one schema: add a setting here and it has a flag, an env name, a file key, help and a row in the docs. */
export const SETTINGS = {
  // The runner
  apiUrl: {
    flag: "api-url",
    env: "RUNNER_API_URL",
    type: "url",
    commands: ["run", "run-local"],
    description: "The control plane.",
    otherwise: "required by run",
  },
  runnerId: {
    flag: "runner-id",
    env: "RUNNER_ID",
    type: "string",
    commands: ["run", "run-local"],
    description: "Id of this runner on the control plane.",
    otherwise: "required by run",
  },
  apiToken: {
    flag: "api-token",
    env: "RUNNER_API_TOKEN",
    type: "string",
    secret: true,
    commands: ["run", "run-local"],
    description:
      "Token of this runner; as a flag it shows in the process list, so prefer the variable or --token-file.",
    otherwise: "required by run, or --token-file",
  },
  tokenFile: {
    flag: "token-file",
    env: "RUNNER_TOKEN_FILE",
    type: "path",
    commands: ["run", "run-local"],
    description: "File with the token on one line; used when no token is given.",
  },
  mode: {
    flag: "mode",
    env: "RUNNER_MODE",
    type: "enum",
    values: RUNNER_MODES,
    default: "all",
    commands: ["run"],
    description:
      "Job groups to work: all (but management), install (all but build and management), org (sync, build, operations), mng (management).",
  },
  dialect: {
    flag: "dialect",
    env: "RUNNER_DIALECT",
    type: "enum",
    values: ["native", "nuon"],
    commands: ["run", "run-local"],
    description: "Protocol of the control plane.",
    otherwise: "found by asking the control plane",
  },
  stateDir: {
    flag: "state-dir",
    env: "RUNNER_STATE_DIR",
    type: "path",
    commands: ["run", "up"],
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
    commands: RUNNING,
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
  caFile: {
    flag: "ca-file",
    env: "RUNNER_CA_FILE",
    type: "path",
    commands: ["run", "run-local", ...OPERATOR],
    description: "PEM file of a private certificate authority for the control plane.",
  },
  toolsDir: {
    flag: "tools-dir",
    env: "RUNNER_TOOLS_DIR",
    type: "path",
    commands: RUNNING,
    description: "Cache of fetched tools, shared by jobs.",
    otherwise: "runner/tools in $XDG_CACHE_HOME, else ~/.cache",
  },
  toolsMirror: {
    flag: "tools-mirror",
    env: "RUNNER_TOOLS_MIRROR",
    type: "url",
    commands: RUNNING,
    description: "Where tools are fetched instead of from their vendors; checksums are checked all the same.",
  },

  // The coordinator
  listen: {
    flag: "listen",
    env: "RUNNER_LISTEN",
    type: "address",
    default: "127.0.0.1:8080",
    commands: ["coordinator", "up"],
    description: "HOST:PORT; port 0 is any free one; up takes the next free port from this one.",
  },
  dataDir: {
    flag: "data-dir",
    env: "RUNNER_DATA_DIR",
    type: "path",
    commands: ["coordinator"],
    description: "Database, logs, sources and state versions.",
    otherwise: "/var/lib/runner/coordinator as root, else $XDG_STATE_HOME/runner/coordinator",
  },
  adminKeyFile: {
    flag: "admin-key-file",
    env: "RUNNER_ADMIN_KEY_FILE",
    type: "path",
    commands: ["coordinator", ...OPERATOR],
    description: "File with the admin key on one line; the coordinator makes it with mode 0600 when it is missing.",
    otherwise: "coordinator: admin.key in the data directory",
  },
  publicUrl: {
    flag: "public-url",
    env: "RUNNER_PUBLIC_URL",
    type: "url",
    commands: ["coordinator"],
    description: "Where runners reach this coordinator.",
    otherwise: "the Host header of each request",
  },
  tlsCert: {
    flag: "tls-cert",
    env: "RUNNER_TLS_CERT",
    type: "path",
    commands: ["coordinator"],
    description: "PEM certificate chain; needs --tls-key.",
  },
  tlsKey: {
    flag: "tls-key",
    env: "RUNNER_TLS_KEY",
    type: "path",
    commands: ["coordinator"],
    description: "PEM private key; needs --tls-cert.",
  },
  insecure: {
    flag: "insecure",
    env: "RUNNER_INSECURE",
    type: "bool",
    default: "false",
    commands: ["coordinator", "up"],
    description: "Allow plain HTTP on an address that is not loopback.",
  },

  // Operator commands
  coordinatorUrl: {
    flag: "coordinator-url",
    env: "RUNNER_COORDINATOR_URL",
    type: "url",
    default: "http://127.0.0.1:8080",
    commands: OPERATOR,
    description: "The coordinator to talk to.",
  },
  adminKey: {
    flag: "admin-key",
    env: "RUNNER_ADMIN_KEY",
    type: "string",
    secret: true,
    commands: OPERATOR,
    description: "Key for the coordinator; as a flag it shows in the process list, so prefer the variable or the file.",
    otherwise: "read from --admin-key-file",
  },
  file: {
    flag: "file",
    short: "f",
    env: "RUNNER_FILE",
    type: "path",
    commands: ["job submit"],
    description: "The job file; `-` reads it from stdin.",
    otherwise: "required",
  },
  target: {
    flag: "runner",
    env: "RUNNER_TARGET",
    type: "string",
    commands: ["job submit"],
    description: "Only this runner (id) may take the job.",
  },
  status: {
    flag: "status",
    env: "RUNNER_STATUS",
    type: "string",
    commands: ["job list"],
    description: "Only jobs with one of these status words, with commas between.",
    otherwise: "all",
  },
  limit: {
    flag: "limit",
    env: "RUNNER_LIMIT",
    type: "int",
    min: 1,
    max: 200,
    default: "50",
    commands: ["job list"],
    description: "At most this many.",
  },
  wait: {
    flag: "wait",
    env: "RUNNER_WAIT",
    type: "bool",
    default: "false",
    commands: ["job submit"],
    description: "Stream the log and return when the job has ended and is cleaned up.",
  },
  follow: {
    flag: "follow",
    env: "RUNNER_FOLLOW",
    type: "bool",
    default: "false",
    commands: ["job logs"],
    description: "Go on until the job has ended.",
  },
  reason: {
    flag: "reason",
    env: "RUNNER_REASON",
    type: "string",
    commands: ["job cancel", "job approve", "job reject", "runners drain"],
    description: "Why; stands in the timeline.",
  },
  lockId: {
    flag: "lock-id",
    env: "RUNNER_LOCK_ID",
    type: "string",
    commands: ["workspaces unlock"],
    description: "Id of the lock to free, as `workspaces show` prints it.",
    otherwise: "the lock that is there",
  },
  force: {
    flag: "force",
    env: "RUNNER_FORCE",
    type: "bool",
    default: "false",
    commands: ["workspaces unlock"],
    description: "Free the lock although its holder is alive; its state may be lost.",
  },

  // Local runs
  once: {
    flag: "once",
    env: "RUNNER_ONCE",
    type: "bool",
    default: "false",
    commands: ["up"],
    description: "End after the quickstart, with its exit code.",
  },
  watch: {
    flag: "watch",
    env: "RUNNER_WATCH",
    type: "bool",
    default: "false",
    commands: ["run-local"],
    description: "Run again whenever a file beside the job file changes.",
  },
  outputs: {
    flag: "outputs",
    env: "RUNNER_OUTPUTS",
    type: "path",
    commands: ["run-local"],
    description: "Write the outputs into this file, in clear, mode 0600.",
  },
  outputsFormat: {
    flag: "outputs-format",
    env: "RUNNER_OUTPUTS_FORMAT",
    type: "enum",
    values: ["json", "env"],
    default: "json",
    commands: ["run-local"],
    description: "Form of the --outputs file: one JSON object, or KEY='value' lines for a shell.",
  },

  // Every command
  logFormat: {
    flag: "log-format",
    env: "RUNNER_LOG_FORMAT",
    type: "enum",
    values: ["text", "json"],
    default: "text",
    commands: EVERY,
    description: "Form of the process's own log and errors on stderr.",
  },
  logLevel: {
    flag: "log-level",
    env: "RUNNER_LOG_LEVEL",
    type: "enum",
    values: ["debug", "info", "warn", "error"],
    default: "info",
    commands: EVERY,
    description: "Least severity of the process's own log.",
  },
  json: {
    flag: "json",
    env: "RUNNER_JSON",
    type: "bool",
    default: "false",
    commands: PRINTING,
    description: "One JSON document on one line, as the last line of stdout.",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];
export type Values = { readonly [K in SettingName]: ValueOf<(typeof SETTINGS)[K]> };

/** Flags that are not settings: they choose what is read. */
export const META_FLAGS = ["help", "config"] as const;

/** RUNNER_* names that are no settings: of the fault suite, of later versions, and what jobs get in their environment. */
export const OTHER_ENV = [
  "RUNNER_CONFIG",
  "RUNNER_FAILPOINT",
  "RUNNER_HANDLERS_DIR",
  "RUNNER_OUTPUT",
  "RUNNER_EXECUTION",
  "RUNNER_CODE",
] as const;

export function settingsOf(command: CommandName): SettingName[] {
  return SETTING_NAMES.filter((name) => (SETTINGS[name].commands as readonly CommandName[]).includes(command));
}
