import { statSync, writeFileSync } from "node:fs";
import { RunnerError } from "../../../protocol/errors.ts";
import type { JobContext } from "../../handler.ts";
import type { TerraformWork } from "./terraform-work.ts";

/** The configuration of the program itself, made for each job: that of the machine's user is never read. */
const cliConfigFile = (workspace: JobContext<unknown>["workspace"]): string => workspace.path("terraformrc");

/** Throws RunnerError (environment) when the mirror is a folder that is not there. */
export function writeCliConfig(ctx: JobContext<unknown>, work: TerraformWork): void {
  const mirror = ctx.tools.providerMirror;
  if (mirror !== null && !isAddress(mirror) && !statSync(mirror, { throwIfNoEntry: false })?.isDirectory()) {
    throw new RunnerError("environment", `the provider mirror ${mirror} is not a folder`, {
      remedy:
        "Set RUNNER_PROVIDER_MIRROR to the folder that `terraform providers mirror` filled, or to its https address.",
    });
  }
  if (mirror !== null && work.env.TF_CLI_CONFIG_FILE !== undefined) {
    ctx.log.warn("TF_CLI_CONFIG_FILE of the job is not used: this runner has a provider mirror");
  }
  writeFileSync(cliConfigFile(ctx.workspace), cliConfig(mirror), { mode: 0o600 });
}

/** The machine's mirror is not the job's to change; without one a job may bring a configuration of its own. */
export function cliConfigEnv(ctx: JobContext<unknown>, work: TerraformWork): Record<string, string> {
  if (work.env.TF_CLI_CONFIG_FILE !== undefined && ctx.tools.providerMirror === null) return {};
  return { TF_CLI_CONFIG_FILE: cliConfigFile(ctx.workspace) };
}

/** With a mirror every provider comes from it and from nowhere else. */
export function cliConfig(mirror: string | null): string {
  const head = "disable_checkpoint = true\n";
  if (mirror === null) return head;
  const method = isAddress(mirror)
    ? `network_mirror {\n    url = ${quoted(mirror.replace(/\/*$/, "/"))}\n`
    : `filesystem_mirror {\n    path = ${quoted(mirror)}\n`;
  return `${head}provider_installation {\n  ${method}    include = ["*/*/*"]\n  }\n}\n`;
}

const isAddress = (mirror: string) => mirror.startsWith("https://");
/** A text of HCL, in which `${` and `%{` begin a template. */
const quoted = (text: string) => JSON.stringify(text).replace(/([$%])\{/g, "$1$1{");
