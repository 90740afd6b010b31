import type { Setting } from "./setting.ts";

/** Of `up` and `run-local`, and of the commands that explain. */
export const LOCAL_SETTINGS = {
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
  coordinator: {
    flag: "coordinator",
    env: "RUNNER_COORDINATOR",
    type: "bool",
    default: "false",
    commands: ["doctor"],
    description: "Check what `runner coordinator` needs instead of what `runner run` needs.",
  },
  plan: {
    flag: "plan",
    env: "RUNNER_PLAN",
    type: "path",
    commands: ["policy test"],
    description: "JSON of a terraform plan (`terraform show -json`) to judge the job with.",
  },
  at: {
    flag: "at",
    env: "RUNNER_AT",
    type: "string",
    commands: ["policy test"],
    description: "Moment to judge the job at, such as 2026-12-24T20:00:00Z.",
    otherwise: "now",
  },
  schema: {
    flag: "schema",
    env: "RUNNER_SCHEMA",
    type: "bool",
    default: "false",
    commands: ["config"],
    description: "Print the JSON Schema of the config file.",
  },
} as const satisfies Record<string, Setting>;
