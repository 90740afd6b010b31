import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Claim, claimResponse } from "../../internal/protocol/native.ts";
import type { WorkspaceDoc } from "../../internal/protocol/operator.ts";
import { type Bed, claim, openSession, type RunnerClient, startBed } from "../integration/runner-api-bed.ts";
import { createOperator, type Operator } from "./operator.ts";

/** Who may knock. `owner` is the runner whose things every path below names; `other` works on things of its own. */
export const ROLES = [
  "nobody",
  "wrong key",
  "admin",
  "owner",
  "owner by ?token=",
  "other runner",
  "owner's execution",
  "other's execution",
  "owner's token as a password",
  "former token",
  "deleted runner",
  "admin key by ?token=",
] as const;
export type Role = (typeof ROLES)[number];

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

export interface RoleBed {
  readonly bed: Bed;
  readonly operator: Operator;
  readonly roles: Readonly<Record<Role, Credentials>>;
  /** Values of the parameters in a path of the runner's API: the owner's. */
  readonly params: Readonly<Record<string, string>>;
  readonly adminKey: string;
  readonly owner: RunnerClient;
  readonly former: string;
}

const filesOf = (name: string) => ({ "main.tf": `output "x" { value = "${name}" }\n` });

/** A coordinator with two runners that each work on an action and on a terraform job whose lock they hold. */
export async function startRoleBed(): Promise<RoleBed> {
  // Nobody renews here: leases and sessions outlive the test.
  const bed = await startBed({ lease_ms: 3_600_000, suspect_ms: 3_600_000, offline_ms: 3_600_000 });
  const adminKey = readFileSync(join(bed.dataDir, "admin.key"), "utf8").trim();
  const operator = createOperator({ url: bed.url, adminKey });
  const digest = await operator.upload(filesOf("owned"));
  const first = await bed.runner("owner");
  const owned = await work(operator, first, digest, "owned");
  const second = await bed.runner("other");
  const others = await work(operator, second, await operator.upload(filesOf("others")), "others");
  const rotated = (await bed.admin("POST", `/runners/${first.id}/rotate`)).json as { token: string };
  const gone = await bed.runner("deleted");
  await bed.admin("DELETE", `/runners/${gone.id}`);
  const { action, deploy } = owned;
  const run = action.documents.action_run;
  const config = action.documents.action_config;
  const spaces = await operator.get<WorkspaceDoc[]>("/workspaces");
  const owner: RunnerClient = {
    id: first.id,
    token: rotated.token,
    call: (method, path, body, headers = {}) =>
      first.call(method, path, body, { ...headers, authorization: `Bearer ${rotated.token}` }),
  };
  return {
    bed,
    operator,
    adminKey,
    owner,
    former: first.token,
    params: {
      runner_id: first.id,
      job_id: action.job.id,
      execution_id: action.execution_id,
      stream_id: action.job.log_stream_id ?? "",
      install_id: "inst",
      run_id: run?.id ?? "",
      workflow_run_id: run?.id ?? "",
      config_id: config?.id ?? "",
      app_id: "app",
      app_config_id: deploy.documents.app_config?.id ?? "",
      step_id: run?.steps?.[0]?.id ?? "",
      workspace_id: spaces.find(({ name }) => name === "owned")?.id ?? "",
      repository: digest.slice("sha256:".length, "sha256:".length + 16),
      reference: digest,
      digest: JSON.parse(await (await operator.raw(`/sources/${digest}`)).text()).layers[0].digest,
    },
    roles: {
      nobody: { headers: {}, query: {} },
      "wrong key": bearer("wrong"),
      admin: bearer(adminKey),
      owner: bearer(rotated.token),
      "owner by ?token=": { headers: {}, query: { token: rotated.token } },
      "other runner": bearer(second.token),
      "owner's execution": basic(deploy.credentials.username, deploy.credentials.password),
      "other's execution": basic(others.deploy.credentials.username, others.deploy.credentials.password),
      "owner's token as a password": basic(deploy.credentials.username, rotated.token),
      "former token": bearer(first.token),
      "deleted runner": bearer(gone.token),
      "admin key by ?token=": { headers: {}, query: { token: adminKey } },
    },
  };
}

const bearer = (token: string): Credentials => ({ headers: { authorization: `Bearer ${token}` }, query: {} });
const basic = (user: string, password: string): Credentials => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
  query: {},
});

async function work(
  operator: Operator,
  runner: RunnerClient,
  digest: string,
  name: string,
): Promise<{ readonly action: Claim; readonly deploy: Claim }> {
  await openSession(runner, `${runner.id}-1`);
  const pin = { runner: runner.id };
  await operator.submit({ type: "actions-workflow", name, spec: { steps: [{ name: "one", run: "true" }] } }, pin);
  const spec = { source: { path: "." }, workspace: name };
  await operator.submit(
    { type: "terraform-deploy", operation: "plan", spec },
    { ...pin, sources: { "spec.source": { digest, path: "" } } },
  );
  const { claims } = claimResponse.parse((await claim(runner, `${runner.id}-1`)).json);
  const action = claims.find((one) => one.job.type === "actions-workflow");
  const deploy = claims.find((one) => one.job.type === "terraform-deploy");
  if (!action || !deploy) throw new Error("both jobs should have been granted");
  return { action, deploy };
}
