import type { CommandName } from "./commands.ts";
import type { Setting } from "./setting.ts";

const SERVICE = [
  "service print",
  "service install",
  "service uninstall",
  "service status",
] as const satisfies readonly CommandName[];

/** Of the commands that set the runner up as a service of a machine. */
export const SERVICE_SETTINGS = {
  format: {
    flag: "format",
    env: "RUNNER_FORMAT",
    type: "enum",
    values: ["systemd", "rcd", "launchd"],
    default: "systemd",
    commands: ["service print"],
    description: "For which service manager: systemd, OpenBSD's rc.d, or macOS's launchd.",
  },
  runtime: {
    flag: "runtime",
    env: "RUNNER_RUNTIME",
    type: "enum",
    values: ["program", "podman", "docker"],
    default: "program",
    commands: [...SERVICE],
    description: "The unit of an installed program, or of an image that an engine runs as a container.",
  },
  instance: {
    flag: "instance",
    env: "RUNNER_INSTANCE",
    type: "string",
    commands: [...SERVICE, "doctor"],
    description: "One of several runners of this machine: unit runner@NAME, /etc/runner/NAME.env and NAME.token.",
    otherwise: "the only one, unit runner",
  },
  with: {
    flag: "with",
    env: "RUNNER_WITH",
    type: "string",
    commands: ["service print", "service install"],
    description:
      "Relaxations of the sandbox, with commas between: docker, podman, limits, gpu, sudo, home; none takes back what was given.",
    otherwise: "those that are there stay",
  },
  prefix: {
    flag: "prefix",
    env: "RUNNER_PREFIX",
    type: "path",
    commands: ["service print", "service install", "run", "mng status", "mng update", "mng rollback", "mng guard"],
    description: "The service starts PREFIX/bin/runner; versions lie in PREFIX/lib/runner.",
    otherwise: "where this program was installed, else /usr/local",
  },
  root: {
    flag: "root",
    env: "RUNNER_ROOT",
    type: "path",
    commands: ["service install", "service uninstall"],
    description: "Work on the files below this folder, an image's; nothing is started or stopped.",
    otherwise: "this machine",
  },
  start: {
    flag: "start",
    env: "RUNNER_START",
    type: "bool",
    default: "true",
    commands: ["service install"],
    description: "Start the service and have it started with the machine; --no-start leaves both.",
  },
} as const satisfies Record<string, Setting>;
