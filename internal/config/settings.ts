import { COMMAND_NAMES, type CommandName } from "./commands.ts";
import { OPERATOR } from "./operator-commands.ts";
import type { Setting, ValueOf } from "./setting.ts";
import { COORDINATOR_SETTINGS } from "./settings-coordinator.ts";
import { LOCAL_SETTINGS } from "./settings-local.ts";
import { MANAGEMENT_SETTINGS } from "./settings-management.ts";
import { OPERATOR_SETTINGS } from "./settings-operator.ts";
import { RUNNER_SETTINGS } from "./settings-runner.ts";
import { SERVICE_SETTINGS } from "./settings-service.ts";

const PRINTING = [
  ...OPERATOR,
  "audit show",
  "audit verify",
  "run-local",
  "policy test",
  "mng status",
  "mng update",
  "mng rollback",
  "doctor",
  "config",
  "explain",
  "service print",
  "service install",
  "service status",
  "release verify",
  "version",
] as const satisfies readonly CommandName[];

/**
 * The one schema: a setting added to one of these lists has a flag, an env name, a file key, help and a row in the
 * docs, in this order.
 */
export const SETTINGS = {
  ...RUNNER_SETTINGS,
  ...MANAGEMENT_SETTINGS,
  ...COORDINATOR_SETTINGS,
  ...OPERATOR_SETTINGS,
  ...LOCAL_SETTINGS,
  ...SERVICE_SETTINGS,
  logFormat: {
    flag: "log-format",
    env: "RUNNER_LOG_FORMAT",
    type: "enum",
    values: ["text", "json"],
    default: "text",
    commands: COMMAND_NAMES,
    description: "Form of the process's own log and errors on stderr.",
  },
  logLevel: {
    flag: "log-level",
    env: "RUNNER_LOG_LEVEL",
    type: "enum",
    values: ["debug", "info", "warn", "error"],
    default: "info",
    commands: COMMAND_NAMES,
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

/** Settings that a command takes; `config` shows every one, so it takes every one. */
export function settingsOf(command: CommandName): SettingName[] {
  if (command === "config") return SETTING_NAMES;
  return SETTING_NAMES.filter((name) => (SETTINGS[name].commands as readonly CommandName[]).includes(command));
}
