import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { JobShow } from "../../../internal/protocol/operator.ts";
import { type GoBed, type Identity, startGoBed, until } from "./lib/bed.ts";
import { terraformWorkspace, type Workspace } from "./lib/terraform.ts";

/**
 * The real terraform with the backend file of the Go runner, over TLS, because a Go runner fetches sources over nothing
 * else (nuon-runner-api.md 2.12, nuon-handlers.md 8, DESIGN invariant 5).
 */
const noTerraform = Bun.which("terraform") === null;
const MODULE = `
variable "who" { type = string }
variable "wait_for" {
  type    = string
  default = ""
}
resource "terraform_data" "greeting" {
  input = "hello \${var.who}"
  provisioner "local-exec" {
    command = var.wait_for == "" ? "true" : "while [ ! -e \${var.wait_for} ]; do sleep 0.05; done"
  }
}
output "greeting" { value = terraform_data.greeting.output }
`;

describe.skipIf(noTerraform)("terraform of the Go runner (needs terraform)", () => {
  let bed: GoBed;
  beforeAll(async () => {
    bed = await startGoBed({ tls: true });
    mkdirSync(bed.path("module"));
    writeFileSync(bed.path("module", "main.tf"), MODULE);
  });
  afterAll(() => bed.end());

  const job = (workspace: string, over: object = {}, vars: object = {}) => ({
    type: "terraform-deploy",
    name: workspace,
    ...over,
    spec: { source: { path: "./module" }, workspace, version: "1.11.4", vars: { who: "world", ...vars } },
  });

  /** A runner that planned once in a workspace; its later calls may name that ended job. */
  async function planned(workspace: string) {
    const identity = await bed.identity();
    const id = await bed.submit(job(workspace, { operation: "plan" }), identity.id);
    const runner = await bed.start(identity);
    await bed.reaches(id, "finished");
    runner.kill();
    return { identity, jobId: id, workspaceId: (await bed.workspace(workspace)).id };
  }

  /** Terraform itself in a folder of its own, as the runner calls it for this job. */
  const folder = (
    name: string,
    about: { identity: Identity; jobId: string; workspaceId: string },
    vars = {},
  ): Workspace =>
    terraformWorkspace(bed.path(name), {
      module: bed.path("module"),
      backend: { url: bed.url, token: about.identity.token, workspace: about.workspaceId, jobId: about.jobId },
      vars: { who: "world", ...vars },
      caFile: bed.ca?.file ?? null,
    });

  const call = (path: string, body: string | undefined, headers: Record<string, string> = {}, method = "POST") =>
    fetch(`${bed.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: { "Content-Type": "application/json", ...headers },
      tls: { ca: bed.ca?.pem ?? "" },
    });

  const state = (serial: number, lineage = "one") => JSON.stringify({ version: 4, serial, lineage, resources: [] });

  test("a change goes from plan over approval to apply, then is destroyed, each by a job of its own", async () => {
    const identity = await bed.identity();
    const runner = await bed.start(identity);
    const change = await bed.submit(job("whole", { approval: "required" }), identity.id);
    const awaiting = await bed.reaches(change, "approval-awaiting", 30_000);
    expect(awaiting.diff).toContain("terraform_data.greeting");
    expect((await bed.api("POST", `/jobs/${change}/approve`, {})).status).toBe(200);
    const done = await bed.reaches(change, "finished", 30_000);
    expect(runner.errors).toEqual([]);
    expect(done.outputs).toEqual({ greeting: "hello world" });
    expect(done.jobs.map((one) => one.operation)).toEqual(["create-apply-plan", "apply-plan"]);
    expect(await bed.workspace("whole")).toMatchObject({ serial: expect.any(Number), lock: null });
    const rendered = JSON.parse((await bed.api("GET", "/workspaces/whole/state-json")).text);
    expect(rendered.values.outputs.greeting.value).toBe("hello world");
    expect(await bed.log(change)).toContain("Apply complete");

    const destroy = await bed.submit(job("whole", { operation: "destroy" }), identity.id);
    const gone = await bed.reaches(destroy, "finished", 30_000);
    expect(gone.jobs.map((one) => one.operation)).toEqual(["create-teardown-plan", "apply-plan"]);
    const serial = (await bed.workspace("whole")).serial;
    const last = JSON.parse((await bed.api("GET", `/workspaces/whole/states/${serial}`)).text);
    expect(last.resources).toEqual([]);
    expect(runner.errors).toEqual([]);
  }, 90_000);

  test("lock and state of an apply come under the ended plan job's id and belong to the job that applies", async () => {
    const identity = await bed.identity();
    const gate = bed.path("gate-apply");
    const change = await bed.submit(job("embedded", {}, { wait_for: gate }), identity.id);
    await bed.start(identity);
    const held = await until("the apply holds its lock", async () => {
      const doc = await bed.show(change).catch(() => null);
      const lock = doc?.workspace ? (await bed.workspace("embedded")).lock : null;
      return lock?.Operation === "OperationTypeApply" ? { doc: doc as JobShow, lock } : null;
    });
    const [plan, apply] = (await bed.show(change)).jobs;
    expect(plan?.status).toBe("finished");
    expect(held.lock).toMatchObject({ job_id: apply?.id, runner_id: identity.id });
    // The SDK's unlock without an id frees nothing while the apply runs.
    await bed.sdk(identity).unlock((await bed.workspace("embedded")).id);
    expect((await bed.workspace("embedded")).lock?.ID).toBe(held.lock.ID);
    writeFileSync(gate, "");
    expect((await bed.reaches(change, "finished", 30_000)).outputs).toEqual({ greeting: "hello world" });
    expect((await bed.workspace("embedded")).lock).toBeNull();
  }, 60_000);

  test("a saved plan applies from the address inside it, also long after the job that made it", async () => {
    const about = await planned("later");
    const at = folder("later-plan", about);
    expect((await at.init()).code).toBe(0);
    expect((await at.plan()).code).toBe(2);
    const other = folder("later-apply", { ...about, jobId: "job00000000000000000000000" });
    writeFileSync(`${other.root}/tfplan`, readFileSync(`${at.root}/tfplan`));
    expect((await other.init()).code).toBe(0);
    expect(await other.apply()).toMatchObject({ code: 0 });
    const output = await other.terraform(["output", "-no-color", "-json"]);
    expect(JSON.parse(output.stdout).greeting.value).toBe("hello world");
    expect((await other.terraform(["show", "-json", "-no-color"])).stdout).toContain("hello world");
    expect(await bed.workspace("later")).toMatchObject({ serial: 1, lock: null });
  }, 60_000);

  test("a lock that is held is told with its holder's id, and terraform waits for nobody", async () => {
    const about = await planned("held");
    const at = folder("held", about);
    await at.init();
    const lock = `/v1/terraform-workspaces/${about.workspaceId}/lock?token=${about.identity.token}&job_id=${about.jobId}`;
    expect(
      (await call(lock, JSON.stringify({ ID: "the-holder", Who: "someone", Operation: "OperationTypeApply" }))).status,
    ).toBe(200);
    const conflict = await call(lock, JSON.stringify({ ID: "another" }));
    expect(conflict.status).toBe(423);
    expect(await conflict.json()).toMatchObject({ ID: "the-holder", Who: "someone", job_id: about.jobId });
    const plan = await at.plan();
    expect(plan.code).toBe(1);
    expect(plan.stdout).toContain("the-holder");
    // A repeat after a lost answer is the same lock.
    expect((await call(lock, JSON.stringify({ ID: "the-holder" }))).status).toBe(200);
    const unlock = lock.replace("/lock?", "/unlock?");
    expect((await call(unlock, JSON.stringify({ ID: "another" }))).status).toBe(423);
    expect((await call(unlock, JSON.stringify({ ID: "the-holder" }))).status).toBe(200);
    expect((await call(unlock, JSON.stringify({ ID: "the-holder" }))).status).toBe(200);
    expect((await at.plan()).code).toBe(2);
  }, 60_000);

  describe("a lock's holder saves its state", () => {
    const ended: Readonly<Record<string, (about: { identity: Identity; running: string }) => Promise<unknown>>> = {
      "after its job was cancelled": ({ running }) => bed.api("POST", `/jobs/${running}/cancel`, {}),
      "after its job was reported finished": async ({ identity, running }) => {
        const [execution] = (await bed.show(running)).executions;
        await bed.sdk(identity).patchExecution(running, execution?.id ?? "", "finished");
      },
      "after its job timed out": ({ running }) => bed.reaches(running, "timed-out"),
      "after the token of its runner was rotated": ({ identity }) =>
        bed.api("POST", `/runners/${identity.id}/rotate`, {}),
      "after its runner was deleted": ({ identity }) => bed.api("DELETE", `/runners/${identity.id}`),
    };
    for (const [when, end] of Object.entries(ended)) {
      test(when, async () => {
        const workspace = `saves-${when.replaceAll(" ", "-")}`;
        const { identity, workspaceId } = await planned(workspace);
        const limit = when.endsWith("timed out") ? { timeout: "2s" } : {};
        const running = await bed.submit(job(workspace, { operation: "plan", ...limit }), identity.id);
        const sdk = bed.sdk(identity);
        await until("it is offered", async () => (await sdk.jobs(identity.id, "deploy")).length > 0);
        await sdk.reserve(running);
        const query = `token=${identity.token}&job_id=${running}`;
        const lock = `/v1/terraform-workspaces/${workspaceId}/lock?${query}`;
        expect((await call(lock, JSON.stringify({ ID: "mine" }))).status).toBe(200);
        const post = (serial: number, id = "mine") =>
          call(`/v1/terraform-backend?${query}&workspace_id=${workspaceId}&ID=${id}`, state(serial));
        expect((await post(1)).status).toBe(200);
        await end({ identity, running });
        const saved = await post(2);
        expect([saved.status, await saved.text()]).toEqual([200, '""']);
        expect((await post(3, "not-the-lock")).status).toBeGreaterThanOrEqual(401);
        expect(await bed.workspace(workspace)).toMatchObject({ serial: 2, lock: { ID: "mine" } });
        expect((await call(lock.replace("/lock?", "/unlock?"), JSON.stringify({ ID: "mine" }))).status).toBe(200);
        expect((await bed.workspace(workspace)).lock).toBeNull();
      }, 30_000);
    }
  });

  test("an apply that is cancelled ends interrupted, its state saved and its lock free", async () => {
    const identity = await bed.identity();
    const gate = bed.path("never");
    const change = await bed.submit(job("cancelled", {}, { wait_for: gate }), identity.id);
    const runner = await bed.start(identity);
    await until("the apply holds its lock", async () => {
      const doc = await bed.show(change).catch(() => null);
      return doc?.workspace && (await bed.workspace("cancelled")).lock?.Operation === "OperationTypeApply";
    });
    expect((await bed.api("POST", `/jobs/${change}/cancel`, {})).status).toBe(200);
    await bed.reaches(change, "cancelled");
    await until("the runner asks for work again", () => runner.busy().now === 0 && runner.worked.length === 2);
    expect(runner.worked[1]?.ended).toBe("dropped");
    const after = await bed.workspace("cancelled");
    expect(after.lock).toBeNull();
    expect(after.serial).not.toBeNull();
    expect(existsSync(gate)).toBe(false);
    expect((await bed.show(change)).status).toBe("cancelled");
  }, 60_000);

  test("an unlock without an id frees only a lock of a job of that runner that no longer runs", async () => {
    const { identity, workspaceId } = await planned("unlock");
    const other = await planned("unlock");
    const running = await bed.submit(job("unlock", { operation: "plan" }), identity.id);
    const sdk = bed.sdk(identity);
    await until("it is offered", async () => (await sdk.jobs(identity.id, "deploy")).length > 0);
    const execution = String((await sdk.reserve(running)).id);
    const lock = `/v1/terraform-workspaces/${workspaceId}/lock?token=${identity.token}&job_id=${running}`;
    await call(lock, JSON.stringify({ ID: "mine" }));
    await sdk.unlock(workspaceId);
    expect((await bed.workspace("unlock")).lock?.ID).toBe("mine");
    await sdk.patchExecution(running, execution, "failed");
    await bed.sdk(other.identity).unlock(workspaceId);
    expect((await bed.workspace("unlock")).lock?.ID).toBe("mine");
    await sdk.unlock(workspaceId);
    expect((await bed.workspace("unlock")).lock).toBeNull();
    await sdk.unlock(workspaceId);
  }, 30_000);

  test("state without a lock id is taken while nobody holds the lock; with one it must continue what is stored", async () => {
    const about = await planned("serials");
    const path = `/v1/terraform-backend?token=${about.identity.token}&workspace_id=${about.workspaceId}&job_id=${about.jobId}`;
    const get = async () => (await (await call(path, undefined, {}, "GET")).text()) || null;
    expect((await call(path, undefined, {}, "GET")).status).toBe(204);
    expect((await call(path, state(5))).status).toBe(200);
    expect(await get()).toBe(state(5));
    expect((await call(path, state(3))).status).toBe(200);
    const freed = `${path}&ID=a-lock-that-was-freed`;
    expect((await call(freed, state(4))).status).toBe(200);
    expect((await call(freed, state(4))).status).toBe(200);
    expect((await call(freed, state(2))).status).toBe(409);
    expect((await call(freed, state(9, "another"))).status).toBe(409);
    expect(await get()).toBe(state(4));
    const lock = `/v1/terraform-workspaces/${about.workspaceId}/lock?token=${about.identity.token}`;
    await call(lock, JSON.stringify({ ID: "holder" }));
    expect((await call(path, state(10))).status).toBe(423);
    expect((await call(freed, state(10))).status).toBe(423);
    expect((await call(`${path}&ID=holder`, state(1, "new"))).status).toBe(200);
    expect(await get()).toBe(state(1, "new"));
    await call(lock.replace("/lock?", "/unlock?"), JSON.stringify({ ID: "holder" }));
    expect((await call(path, undefined, {}, "DELETE")).status).toBe(200);
    expect((await call(path, undefined, {}, "GET")).status).toBe(204);
    expect((await bed.api("GET", "/workspaces/serials/states/4")).text).toBe(state(4));
  }, 30_000);

  test("a state damaged on its way is a passing condition, so that terraform sends it again", async () => {
    const about = await planned("damaged");
    const path = `/v1/terraform-backend?token=${about.identity.token}&workspace_id=${about.workspaceId}&job_id=${about.jobId}`;
    const md5 = new Bun.CryptoHasher("md5").update(state(1)).digest("base64");
    expect((await call(path, state(2), { "Content-MD5": md5 })).status).toBe(503);
    expect((await call(path, state(1), { "Content-MD5": md5 })).status).toBe(200);
  }, 30_000);
});
