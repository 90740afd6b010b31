import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type GoBed, type Identity, startGoBed, until } from "./lib/bed.ts";
import type { GoTransport } from "./lib/http.ts";
import { encodeExport } from "./lib/otlp.ts";

/** A token reaches its own work only, on every route that the Go runner uses; the real server checks nothing (1.5). */
interface Work {
  readonly owner: Identity;
  readonly job: string;
  readonly execution: string;
  readonly plan: { readonly id: string; readonly install_id: string; readonly steps: { readonly run_id: string }[] };
  readonly config: string;
  readonly stream: string;
}

let bed: GoBed;
let transport: GoTransport;
let action: Work;
let state: {
  readonly owner: Identity;
  readonly job: string;
  readonly workspace: string;
  readonly app: string;
  readonly basic: string;
};
let stranger: Identity;

beforeAll(async () => {
  bed = await startGoBed({ tls: true });
  transport = bed.transport();
  stranger = await bed.identity();
  await bed.sdk(stranger).jobs(stranger.id, "actions");
  action = await reservedAction();
  state = await reservedTerraform();
}, 30_000);
afterAll(() => bed.end());

async function reserved(group: string, job: object) {
  const owner = await bed.identity();
  const sdk = bed.sdk(owner);
  const id = await bed.submit(job, owner.id);
  const offered = await until("it is offered", async () => (await sdk.jobs(owner.id, group))[0]);
  const execution = String((await sdk.reserve(id)).id);
  return { owner, sdk, id, execution, stream: String(offered.log_stream_id), plan: JSON.parse(await sdk.plan(id)) };
}

async function reservedAction(): Promise<Work> {
  const steps = [{ name: "one", run: "#!/bin/sh\necho hi\n" }];
  const { owner, sdk, id, execution, stream, plan } = await reserved("actions", {
    type: "actions-workflow",
    spec: { steps },
  });
  const run = await sdk.actionRun(plan.install_id, plan.id);
  return { owner, job: id, execution, stream, plan, config: String(run.action_workflow_config_id) };
}

async function reservedTerraform() {
  mkdirSync(bed.path("module"));
  writeFileSync(bed.path("module", "main.tf"), 'output "a" { value = 1 }\n');
  const spec = { source: { path: "./module" }, workspace: "scoped", version: "1.11.4" };
  const { owner, id, plan } = await reserved("deploy", { type: "terraform-deploy", operation: "plan", spec });
  const { Username, Password } = plan.src_registry.OCIAuth;
  return {
    owner,
    job: id,
    workspace: plan.terraform.terraform_backend.WorkspaceID as string,
    app: plan.app_config_id as string,
    basic: `Basic ${Buffer.from(`${Username}:${Password}`).toString("base64")}`,
  };
}

type Route = readonly [name: string, method: string, path: string, body?: string | Uint8Array];

/** Every operation of the Go runner on the work of these two owners; `own` is what the owner gets. */
function routes(): readonly (readonly [...Route] | Route)[] {
  const job = `/v1/runner-jobs/${action.job}`;
  const execution = `${job}/executions/${action.execution}`;
  const workspace = `/v1/terraform-workspaces/${state.workspace}`;
  const records = encodeExport([{ time: 1n, severity: "info", body: "a line", attributes: {} }], {}, "");
  return [
    ["settings", "GET", `/v1/runners/${action.owner.id}/settings`],
    ["heart beat", "POST", `/v1/runners/${action.owner.id}/heart-beats`, '{"alive_time":1000000000}\n'],
    ["jobs", "GET", `/v1/runners/${action.owner.id}/jobs?group=actions`],
    ["job", "GET", job],
    ["plan", "GET", `${job}/plan`],
    ["log export", "POST", `/v1/log-streams/${action.stream}/logs`, records],
    ["action run", "GET", `/v1/installs/${action.plan.install_id}/action-workflows/runs/${action.plan.id}`],
    ["action config", "GET", `/v1/action-workflows/configs/${action.config}`],
    [
      "action step",
      "PUT",
      `/v1/installs/any/action-workflow-runs/any/steps/${action.plan.steps[0]?.run_id}`,
      '{"execution_duration":1,"status":"in-progress"}\n',
    ],
    ["app config", "GET", `/v1/apps/any/config/${state.app}`],
    ["read state", "GET", `/v1/terraform-backend?workspace_id=${state.workspace}&job_id=${state.job}`],
    ["lock", "POST", `${workspace}/lock?job_id=${state.job}`, '{"ID":"lock-1"}'],
    [
      "write state",
      "POST",
      `/v1/terraform-backend?workspace_id=${state.workspace}&job_id=${state.job}&ID=lock-1`,
      '{"serial":1,"lineage":"a"}',
    ],
    ["state-json", "POST", `${workspace}/state-json?job_id=${state.job}`, '"e30="\n'],
    ["unlock", "POST", `${workspace}/unlock?job_id=${state.job}`, '{"ID":"lock-1"}'],
    ["delete state", "DELETE", `/v1/terraform-backend?workspace_id=${state.workspace}`],
    ["status", "PATCH", execution, '{"status":"in-progress"}\n'],
    ["result", "POST", `${execution}/result`, '{"success":true}\n'],
    ["outputs", "POST", `${execution}/outputs`, '{"outputs":{}}\n'],
    ["reservation", "POST", `${job}/executions`, "null\n"],
    ["status of the job", "PATCH", job, '{"status":"finished"}\n'],
  ];
}

const NAMES = [
  "settings",
  "heart beat",
  "jobs",
  "job",
  "plan",
  "log export",
  "action run",
  "action config",
  "action step",
  "app config",
  "read state",
  "lock",
  "write state",
  "state-json",
  "unlock",
  "delete state",
  "status",
  "result",
  "outputs",
  "reservation",
  "status of the job",
];

const send = (route: Route | undefined, headers: Record<string, string>, token?: string) => {
  if (route === undefined) throw new Error("no such route");
  const [, method, path, body] = route;
  const payload = typeof body === "string" ? Buffer.from(body) : body;
  const query = token === undefined ? "" : `${path.includes("?") ? "&" : "?"}token=${token}`;
  const type = typeof body === "string" ? "application/json" : "application/x-protobuf";
  return transport.send({
    method,
    path: `${path}${query}`,
    headers: { ...headers, ...(payload === undefined ? {} : { "Content-Type": type }) },
    ...(payload === undefined ? {} : { body: payload }),
  });
};
const bearer = (identity: Identity) => ({ Authorization: `Bearer ${identity.token}` });
const route = (name: string) => routes().find(([known]) => known === name);
const ownerOf = (name: string) => (/state|lock|app config/.test(name) ? state.owner : action.owner);

test("the list below names every route", () => {
  expect(routes().map(([name]) => name)).toEqual(NAMES);
});

describe("the token of another runner, one that could take such work, gets nothing:", () => {
  for (const name of NAMES) {
    test(name, async () => {
      const before = await bed.show(action.job);
      const answer = await send(route(name), bearer(stranger));
      expect([401, 403, 404]).toContain(answer.status);
      expect((await send(route(name), {}, stranger.token)).status).toBe(answer.status);
      expect((await send(route(name), {})).status).toBe(401);
      expect(await bed.show(action.job)).toEqual(before);
      expect(await bed.workspace("scoped")).toMatchObject({ serial: null, lock: null });
    });
  }
});

describe("the owner's token works in the header and as ?token=:", () => {
  for (const name of NAMES) {
    test(name, async () => {
      const expected = name === "reservation" ? [409] : [200, 201, 204];
      expect(expected).toContain((await send(route(name), bearer(ownerOf(name)))).status);
      expect(expected).toContain((await send(route(name), {}, ownerOf(name).token)).status);
    });
  }
});

test("Basic credentials of an execution work for the state of its job and for nothing else", async () => {
  const basic = { Authorization: state.basic };
  for (const name of ["lock", "write state", "read state", "state-json", "unlock"]) {
    expect({ name, status: (await send(route(name), basic)).status }).toEqual({ name, status: 200 });
  }
  for (const name of ["settings", "job", "plan", "log export", "status", "app config"]) {
    expect({ name, status: (await send(route(name), basic)).status }).toEqual({ name, status: 401 });
  }
  const wrong = { Authorization: `Basic ${Buffer.from("run1.1:wrong").toString("base64")}` };
  expect((await send(route("read state"), wrong)).status).toBe(401);
});

test("an operator's key is no runner's token, and a runner's token opens nothing of the operator's", async () => {
  for (const path of ["/api/v1/jobs", "/api/v1/runners", "/api/v1/events"]) {
    const answer = await transport.send({ method: "GET", path, headers: bearer(action.owner) });
    expect(answer.status).toBe(401);
  }
});
