import { RunnerError } from "../../../protocol/errors.ts";
import type { DeployPlan } from "../../../protocol/nuon/plans.ts";
import { type DeploySource, deploySource, invalidPlan, sourcePath } from "../deploy-source.ts";
import { decodeContents } from "./saved-plan.ts";

/** What a terraform job is asked to do, checked: everything a plan may leave out is here or an error was thrown. */
export interface TerraformWork {
  readonly operation: "plan" | "plan-destroy" | "apply";
  readonly tool: "terraform" | "tofu";
  readonly workspaceId: string;
  readonly source: DeploySource;
  /** Folder of the module inside the source, normalised, never outside it. */
  readonly path: string;
  readonly vars: Readonly<Record<string, unknown>>;
  /** File contents, JSON or tfvars; later ones override earlier ones and `vars`. Empty ones are left out. */
  readonly varsFiles: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Stack of a source with a `cdktf.json`; null: the only one. */
  readonly stack: string | null;
  /** null: scripts of the module are not run around the apply. */
  readonly hooks: { readonly env: Readonly<Record<string, string>>; readonly destroy: boolean } | null;
  /** Only for apply. */
  readonly savedPlan: Uint8Array | null;
}

const invalid = invalidPlan("terraform");

const OPERATIONS: Readonly<Record<string, TerraformWork["operation"]>> = {
  "create-apply-plan": "plan",
  "create-teardown-plan": "plan-destroy",
  "apply-plan": "apply",
};

/** Throws RunnerError with one line that names what is missing or wrong. */
export function terraformWork(plan: DeployPlan, operation: string): TerraformWork {
  const block = plan.terraform;
  if (!block) throw invalid("it has no terraform block");
  const kind = OPERATIONS[operation];
  if (kind === undefined) {
    throw invalid(`operation ${operation} is none of ${Object.keys(OPERATIONS).join(", ")}`, "job");
  }
  const workspaceId = block.terraform_backend?.WorkspaceID;
  if (!workspaceId) throw invalid("it names no workspace (terraform.terraform_backend.WorkspaceID)");
  if (kind === "apply" && !plan.apply_plan_contents) {
    throw invalid("an apply needs a saved plan (apply_plan_contents)");
  }
  return {
    operation: kind,
    tool: toolOf(block.tool),
    workspaceId,
    source: deploySource(plan, invalid),
    path: sourcePath(plan, invalid),
    vars: block.vars ?? {},
    varsFiles: (block.vars_files ?? []).filter((text) => text.trim() !== ""),
    env: checkedEnv(block.env_vars ?? {}),
    stack: block.stack || null,
    hooks: hooksOf(block),
    savedPlan: kind === "apply" ? decodeContents(plan.apply_plan_contents ?? "") : null,
  };
}

function toolOf(tool: string | null | undefined): TerraformWork["tool"] {
  if (tool === "tofu") return tool;
  if (!tool || tool === "terraform") return "terraform";
  throw invalid(`the tool ${JSON.stringify(tool)} is none of terraform, tofu`, "job");
}

/** A Nuon server sends the block with every deploy and does not mean it: only `Enabled` counts. */
function hooksOf({ hooks, destroy }: NonNullable<DeployPlan["terraform"]>): TerraformWork["hooks"] {
  if (!hooks?.Enabled) return null;
  const keys = hooks.RunAuth?.static;
  const aws = {
    AWS_ACCESS_KEY_ID: keys?.access_key_id,
    AWS_SECRET_ACCESS_KEY: keys?.secret_access_key,
    AWS_SESSION_TOKEN: keys?.session_token,
    AWS_REGION: hooks.RunAuth?.region,
  };
  const given = Object.entries(aws).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
  return {
    env: { ...checkedEnv(hooks.EnvVars ?? {}), ...Object.fromEntries(given) },
    destroy: destroy ?? false,
  };
}

/** Names that would change where state lies, what terraform is asked, or how we find its process again. */
const OURS = /^(TF_CLI_ARGS(_.*)?|TF_WORKSPACE|TF_HTTP_.*|TF_DATA_DIR|TF_LOG_PATH|TF_PLUGIN_CACHE_.*|RUNNER_.*)$/;

function checkedEnv(env: Readonly<Record<string, string | null>>): Record<string, string> {
  const entries = Object.entries(env).map(([name, value]) => [name, value ?? ""] as const);
  for (const [name, value] of entries) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw invalid(`the environment variable ${JSON.stringify(name)} is not valid`, "job");
    }
    if (OURS.test(name)) {
      throw new RunnerError("job", `the plan sets ${name}, which only the runner may set`, {
        remedy: `Remove ${name} from the job's env; state, workspace and arguments come from the job itself.`,
      });
    }
  }
  return Object.fromEntries(entries);
}
