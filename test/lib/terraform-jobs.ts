import { rmSync } from "node:fs";
import type { JobOperation } from "../../internal/protocol/enums.ts";
import type { RunnerSettings } from "../../internal/protocol/nuon/settings.ts";
import { terraformDeploy } from "../../internal/runner/handlers/terraform/terraform-deploy.ts";
import { createHarness, folderOf, type Outcome } from "./handler-harness.ts";
import { type StateServer, startStateServer } from "./state-server.ts";

/** The workspace every job here works on. */
export const WORKSPACE = "tfw1";

const disposals: (() => void)[] = [];
/** For afterEach: servers and folders of the test that ended. */
export function disposeTerraformJobs(): void {
  for (const dispose of disposals.splice(0)) dispose();
}

/** A module folder and a control plane for its state. */
export function bed(files: Record<string, string>) {
  const folder = folderOf(files);
  const server = startStateServer();
  disposals.push(server.stop, () => rmSync(folder, { recursive: true, force: true }));
  return { folder, server };
}

export interface JobInput {
  readonly operation?: JobOperation;
  readonly block?: Record<string, unknown>;
  readonly plan?: Record<string, unknown>;
  readonly verify?: boolean;
  readonly sensitive?: readonly string[];
  readonly contents?: string;
  readonly settings?: RunnerSettings;
  readonly cacheDir?: string;
  readonly providerMirror?: string;
  readonly tools?: Readonly<Record<string, string>>;
  /** A server that does not say who holds a lock. */
  readonly hidesLocks?: boolean;
}

/** One execution of a terraform job on that module. */
export function job({ folder, server }: { folder: string; server: StateServer }, input: JobInput = {}) {
  const harness = createHarness({
    handler: terraformDeploy,
    operation: input.operation ?? "create-apply-plan",
    plan: {
      app_id: "app1",
      app_config_id: "cfg1",
      component_id: "cmp1",
      src_registry: { RegistryType: "private_oci", Repository: "sources/x", LoginServer: "127.0.0.1:1" },
      src_tag: "module",
      apply_plan_contents: input.contents ?? "",
      terraform: { vars: {}, terraform_backend: { WorkspaceID: WORKSPACE }, ...input.block },
      ...input.plan,
    },
    documents: {
      appConfig: async () => ({
        id: "cfg1",
        created_by_id: "t",
        component_config_connections: [{ component_id: "cmp1", terraform_module: { version: "" } }],
      }),
    },
    sources: { module: folder },
    state: server,
    verify: input.verify ?? false,
    sensitive: input.sensitive ?? [],
    ...(input.settings ? { settings: input.settings } : {}),
    ...(input.cacheDir ? { cacheDir: input.cacheDir } : {}),
    ...(input.providerMirror ? { providerMirror: input.providerMirror } : {}),
    ...(input.tools ? { tools: input.tools } : {}),
    ...(input.hidesLocks ? { hidesLocks: true } : {}),
  });
  disposals.push(harness.dispose);
  return harness;
}

/** The saved plan of a plan job, as its result carries it. */
export const contentsOf = (outcome: Outcome) => String(outcome.result?.contents_compressed ?? "");

/** Plan and apply as a change does: two executions, the saved plan handed from one to the other. */
export async function change(at: { folder: string; server: StateServer }, input: JobInput = {}) {
  const planned = await job(at, input).run();
  if (planned.status !== "finished") throw new Error(planned.reason);
  const harness = job(at, { ...input, operation: "apply-plan", contents: contentsOf(planned) });
  return { harness, planned, applied: await harness.run() };
}

/** A resource, plain and sensitive variables, plain and sensitive outputs. */
export const MODULE = `
variable "name" {
  type    = string
  default = "world"
}
variable "password" {
  type      = string
  default   = "unset"
  sensitive = true
}
resource "terraform_data" "hello" { input = "hello \${var.name}" }
output "greeting" { value = terraform_data.hello.output }
output "list" { value = [1, { a = true }] }
output "secret" {
  value     = "the \${var.password}"
  sensitive = true
}
`;
