import { z } from "zod";
import type { RunnerDoc, WorkspaceDoc } from "../../internal/protocol/operator.ts";
import { createOperator, type Operator } from "../lib/operator.ts";
import { createRunnerPeer } from "../lib/runner-peer.ts";
import type { Victim } from "./openapi-bed.ts";

/** A runner with work of its own: its credentials, and by kind the ids that lead to what is its. */
export interface Party {
  readonly runnerId: string;
  readonly token: string;
  /** Basic credentials of its terraform execution; null: a Go runner's, which has none. */
  readonly basic: string | null;
  /** By parameter or property name; under "" all of them. */
  readonly ids: Readonly<Record<string, readonly string[]>>;
}

/** Stands in everything that is the first party's: its plan, its variables, its log, its outputs, its state. */
export const CANARY = "canary-of-the-first-party-4711";

const STATE = {
  version: 4,
  terraform_version: "1.11.4",
  serial: 1,
  lineage: "lineage-1",
  outputs: { secret: { value: CANARY, type: "string" } },
  resources: [],
};

/** A runner of ours that works on an action and on a terraform job whose lock and state it holds. */
export async function nativeParty({ control, adminKey }: Victim, name: string, secret: string): Promise<Party> {
  const operator = createOperator({ url: control.url, adminKey });
  const peer = await createRunnerPeer(control.url, operator);
  const pin = { runner: peer.id };
  const action = await peer.claim(await operator.submit(actionJob(name, secret), pin));
  await peer.log(action, [{ text: `${secret}\n` }]);
  const digest = await operator.upload({ "main.tf": `output "x" { value = "${secret}" }\n` });
  const layer: string = JSON.parse(await (await operator.raw(`/sources/${digest}`)).text()).layers[0].digest;
  const spec = { source: { path: "." }, workspace: name, vars: { x: secret } };
  const plan = { type: "terraform-deploy", operation: "plan", spec };
  const deploy = await peer.claim(
    await operator.submit(plan, { ...pin, sources: { "spec.source": { digest, path: "" } } }),
  );
  const { username, password } = deploy.credentials;
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const workspace = (await operator.get<WorkspaceDoc[]>("/workspaces")).find((one) => one.name === name)?.id ?? "";
  const as = { authorization: basic, "content-type": "application/json" };
  const post = (path: string, body: object) =>
    fetch(control.url + path, { method: "POST", headers: as, body: JSON.stringify(body) });
  const lock = `lock-of-${name}`;
  await post(`/v1/terraform-workspaces/${workspace}/lock`, { ID: lock, Operation: "OperationTypePlan" });
  const saved = await post(`/v1/terraform-backend?workspace_id=${workspace}&ID=${lock}`, {
    ...STATE,
    outputs: { secret: { value: secret, type: "string" } },
  });
  if (saved.status !== 200) throw new Error(`the state was refused: ${saved.status} ${await saved.text()}`);
  const chart = `hmc${name.padEnd(23, "0")}`;
  const helm = { name, namespace: "web", helm_chart_id: chart };
  const install = { type: "helm-chart-deploy", operation: "apply", plan: { helm } };
  await peer.claim(await operator.submit(install, pin));
  const key = `sh.helm.release.v1.${name}.v1`;
  const release = { name, version: 1, info: { status: "deployed" }, labels: { owner: "helm" }, manifest: secret };
  const bearer = { authorization: `Bearer ${peer.token}`, "content-type": "application/json" };
  const stored = await fetch(`${control.url}/v1/helm-releases/${chart}/releases/web/${key}`, {
    method: "POST",
    headers: bearer,
    body: JSON.stringify(release),
  });
  if (stored.status !== 201) throw new Error(`the release was refused: ${stored.status} ${await stored.text()}`);
  const session = (await operator.get<RunnerDoc>(`/runners/${peer.id}`)).session;
  const run = action.documents.action_run;
  return partyOf({
    runnerId: peer.id,
    token: peer.token,
    basic,
    ids: {
      runner_id: [peer.id],
      instance_id: [session?.instance_id ?? ""],
      job_id: [action.job.id, deploy.job.id],
      execution_id: [action.execution_id, deploy.execution_id],
      "X-Runner-Execution": [action.execution_id],
      stream_id: [action.job.log_stream_id ?? "", deploy.job.log_stream_id ?? ""],
      run_id: [run?.id ?? ""],
      workflow_run_id: [run?.id ?? ""],
      config_id: [action.documents.action_config?.id ?? ""],
      app_config_id: [deploy.documents.app_config?.id ?? ""],
      step_id: (run?.steps ?? []).map((step) => step.id ?? ""),
      workspace_id: [workspace],
      ID: [lock],
      repository: [digest.slice(7, 23)],
      reference: [digest],
      digest: [layer, digest],
      lineage: ["lineage-1"],
      helm_chart_id: [chart],
      namespace: ["web"],
      key: [key],
    },
  });
}

/** A Go runner that reserved an action, by the baseline alone. */
export async function goParty({ control, adminKey }: Victim, name: string): Promise<Party> {
  const operator: Operator = createOperator({ url: control.url, adminKey });
  const made = (await operator.send("POST", "/runners", { name })).body as { id: string; token: string };
  const call = async (method: string, path: string, body?: unknown) => {
    const headers = { authorization: `Bearer ${made.token}`, "content-type": "application/json" };
    const answer = await fetch(control.url + path, { method, headers, body: body ? JSON.stringify(body) : null });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  await call("POST", `/v1/runners/${made.id}/heart-beats`, { alive_time: 1, version: "v0.1.0", process: "install" });
  const job = await operator.submit(actionJob(name, "nothing"), { runner: made.id });
  await call("GET", `/v1/runners/${made.id}/jobs?group=actions`);
  const execution = z
    .looseObject({ id: z.string() })
    .parse(await call("POST", `/v1/runner-jobs/${job}/executions`, {}));
  const doc = z.looseObject({ log_stream_id: z.string() }).parse(await call("GET", `/v1/runner-jobs/${job}`));
  return partyOf({
    runnerId: made.id,
    token: made.token,
    basic: null,
    ids: {
      runner_id: [made.id],
      job_id: [job],
      execution_id: [execution.id],
      stream_id: [doc.log_stream_id],
    },
  });
}

const actionJob = (name: string, secret: string) => ({
  type: "actions-workflow",
  name,
  spec: { env: { SECRET: secret }, steps: [{ name: "one", run: "true" }] },
});

const partyOf = (party: Party): Party => ({ ...party, ids: { ...party.ids, "": Object.values(party.ids).flat() } });

/** Ids for a parameter or property: its own kind's, or any. */
export function idsFor(party: Party, name: string): readonly string[] {
  return party.ids[name] ?? party.ids[""] ?? [];
}
