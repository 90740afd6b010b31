import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { KeepWorkspaceError } from "../../internal/runner/handler.ts";
import { terraformDeploy } from "../../internal/runner/handlers/terraform/terraform-deploy.ts";
import { bed, change, contentsOf, disposeTerraformJobs, job, MODULE, WORKSPACE } from "../lib/terraform-jobs.ts";

const noTerraform = Bun.which("terraform") === null;
afterEach(disposeTerraformJobs);

describe.skipIf(noTerraform)("a terraform job", () => {
  test("plans, applies and destroys, with its state on the control plane and the lock free afterwards", async () => {
    const at = bed({ "main.tf": MODULE });
    const { harness, planned, applied } = await change(at);
    expect(planned.result?.success).toBe(true);
    expect(contentsOf(planned)).toMatch(/^[A-Za-z0-9_-]+={0,2}$/);
    expect(contentsOf(planned).length % 4).toBe(0);
    const display = Buffer.from(String(planned.result?.contents_display_compressed), "base64url");
    expect(JSON.parse(Buffer.from(Bun.gunzipSync(display)).toString())).toMatchObject({
      resource_changes: [{ address: "terraform_data.hello", change: { actions: ["create"] } }],
    });
    expect(planned.outputs).toEqual({});

    expect(applied).toMatchObject({ status: "finished", result: null, cleanupError: null });
    expect(applied.outputs).toEqual({ greeting: "hello world", list: [1, { a: true }], secret: "the unset" });
    expect(harness.steps.map(({ name, status, code }) => [name, status, code])).toEqual([
      ["init", "finished", 0],
      ["apply", "finished", 0],
    ]);
    expect(at.server.states.get(WORKSPACE)).toContain("hello world");
    expect(JSON.parse(Buffer.from(at.server.stateJson.get(WORKSPACE) ?? []).toString())).toHaveProperty("values");
    expect(at.server.locks.size).toBe(0);

    const destroyPlan = await job(at, { operation: "create-teardown-plan" }).run();
    expect(destroyPlan.outputs).toMatchObject({ greeting: "hello world" });
    const destroyed = await job(at, { operation: "apply-plan", contents: contentsOf(destroyPlan), verify: true }).run();
    expect(destroyed).toMatchObject({ status: "finished", outputs: {} });
    expect(JSON.parse(at.server.states.get(WORKSPACE) ?? "{}").resources).toEqual([]);
  }, 60_000);

  test("reads a saved plan in standard, URL-safe and unpadded base64", async () => {
    const at = bed({ "main.tf": MODULE });
    const planned = await job(at).run();
    const standard = contentsOf(planned).replaceAll("-", "+").replaceAll("_", "/");
    for (const contents of [standard, standard.replace(/=+$/, ""), contentsOf(planned).replace(/=+$/, "")]) {
      const harness = job(at, { operation: "apply-plan", contents });
      const ctx = harness.context();
      await terraformDeploy.fetch?.(ctx);
      await terraformDeploy.initialize?.(ctx);
      const file = readFileSync(join(harness.work, "tfplan"));
      expect(file.equals(Buffer.from(contentsOf(planned), "base64url"))).toBe(true);
    }
  }, 30_000);

  test("keeps address and credentials of the state out of the saved plan and of every argument", async () => {
    const at = bed({ "main.tf": MODULE });
    const harness = job(at);
    await harness.run();
    const plan = unzipped(readFileSync(join(harness.work, "tfplan")));
    expect(plan).toContain("terraform_data");
    const password = at.server.env(WORKSPACE).TF_HTTP_PASSWORD ?? "none";
    for (const secret of [password, at.server.url]) {
      expect(plan).not.toContain(secret);
      expect(harness.runs.flatMap(({ argv }) => argv).join(" ")).not.toContain(secret);
    }
    expect(harness.secrets.has(password)).toBe(true);
  }, 30_000);

  test("never shows a sensitive output in the log, marks it and registers its value", async () => {
    const at = bed({ "main.tf": MODULE });
    const { harness, applied } = await change(at, { block: { vars: { password: "hunter2-of-vars" } } });
    expect(applied.sensitive).toEqual(["secret"]);
    expect(applied.outputs?.secret).toBe("the hunter2-of-vars");
    expect(harness.secrets.has("the hunter2-of-vars")).toBe(true);
    expect(harness.log()).not.toContain("hunter2-of-vars");
    expect(harness.log()).toContain("secret = <sensitive>");
  }, 30_000);

  test("plans with the outputs of the state as it is, not as it will be", async () => {
    const at = bed({ "main.tf": MODULE });
    const { applied } = await change(at, { block: { vars: { name: "now", password: "first-password" } } });
    for (const operation of ["create-apply-plan", "create-teardown-plan"] as const) {
      const harness = job(at, { operation, block: { vars: { name: "next", password: "other-password" } } });
      const planned = await harness.run();
      expect(planned.outputs).toEqual(applied.outputs);
      expect(planned.sensitive).toEqual(["secret"]);
      expect(harness.log()).not.toContain("first-password");
    }
  }, 30_000);

  test("gives an apply's outputs without asking terraform again, and asks it when the shown state is damaged", async () => {
    const at = bed({ "main.tf": MODULE });
    const { harness, applied } = await change(at);
    expect(harness.runs.map(({ key }) => key)).toEqual(["init", "apply", "show-state"]);
    writeFileSync(join(harness.work, "state.json"), '{"values":{"outp');
    const again = await terraformDeploy.outputs?.(harness.context());
    expect(again).toEqual({ values: { ...applied.outputs }, sensitive: ["secret"] });
    expect(harness.runs.at(-1)?.key).toBe("output");
  }, 30_000);

  test("registers variables that the module or the job calls sensitive before terraform runs", async () => {
    const at = bed({ "main.tf": MODULE });
    const harness = job(at, {
      sensitive: ["name"],
      block: {
        vars: { password: "from-vars-0", name: "from-name-0" },
        vars_files: ['{"password": "from-json-1"}', 'password = "from-tfvars-2"\nname = "from-tfvars-3"\n'],
        env_vars: { TF_VAR_password: "from-env-4", PLAIN: "not-a-secret" },
      },
    });
    const ctx = harness.context();
    await terraformDeploy.fetch?.(ctx);
    await terraformDeploy.validate?.(ctx);
    expect([...harness.secrets].sort()).toEqual([
      "from-env-4",
      "from-json-1",
      "from-name-0",
      "from-tfvars-2",
      "from-tfvars-3",
      "from-vars-0",
    ]);
    expect(harness.runs).toEqual([]);
  });

  test("lets var files override vars, the last one winning", async () => {
    const at = bed({ "main.tf": MODULE });
    const block = { vars: { name: "vars" }, vars_files: ['{"name": "json file"}', "  ", 'name = "tfvars file"\n'] };
    expect((await change(at, { block })).applied.outputs?.greeting).toBe("hello tfvars file");
    const two = { vars: { name: "vars" }, vars_files: ['{"name": "json file"}'] };
    expect((await change(at, { block: two })).applied.outputs?.greeting).toBe("hello json file");
    const env = { env_vars: { TF_VAR_name: "env" } };
    expect((await change(at, { block: env })).applied.outputs?.greeting).toBe("hello env");
  }, 60_000);

  test("works in a folder of its source, so that ../shared resolves", async () => {
    const at = bed({
      "modules/net/main.tf": 'module "s" {\n  source = "../shared"\n}\noutput "o" {\n  value = module.s.o\n}\n',
      "modules/shared/main.tf": 'output "o" { value = "shared" }\n',
    });
    const { applied } = await change(at, { plan: { src_path: "modules/net" } });
    expect(applied.outputs).toEqual({ o: "shared" });
  }, 30_000);

  test("works in a folder of a repository, so that ../shared resolves there too", async () => {
    const at = bed({
      "modules/net/main.tf": 'module "shared" { source = "../shared" }\noutput "x" { value = module.shared.x }',
      "modules/shared/main.tf": 'output "x" { value = "from git" }',
    });
    const git = (...args: string[]) =>
      Bun.spawnSync(["git", "-C", at.folder, "-c", "user.name=t", "-c", "user.email=t@example.test", ...args]);
    git("init", "-q", "-b", "main");
    git("add", "-A");
    git("commit", "-q", "-m", "one");
    const src_git = { url: at.folder, ref: "main", path: "modules/net", recurse_submodules: false };
    const { applied } = await change(at, { plan: { src_git, src_registry: null, src_tag: "" } });
    expect([applied.reason, applied.outputs]).toEqual(["", { x: "from git" }]);
  }, 30_000);

  test("passes verify when a plan after the apply is empty and fails it otherwise", async () => {
    const stable = await change(bed({ "main.tf": MODULE }), { verify: true });
    expect(stable.applied.status).toBe("finished");
    expect(stable.harness.steps.map(({ name }) => name)).toEqual(["init", "apply", "verify"]);
    const drifting = bed({ "main.tf": 'resource "terraform_data" "t" { input = timestamp() }\n' });
    const { applied, harness } = await change(drifting, { verify: true });
    expect(applied).toMatchObject({ status: "failed", reason: "verify: a plan after apply is not empty" });
    expect(harness.steps.at(-1)).toMatchObject({ name: "verify", status: "error", code: 2 });
    expect(drifting.server.locks.size).toBe(0);
  }, 60_000);

  test("says in one line that somebody else holds the lock, and leaves that lock alone", async () => {
    const at = bed({ "main.tf": MODULE });
    const other = JSON.stringify({ ID: "other", Who: "somebody", Operation: "OperationTypeApply" });
    at.server.locks.set(WORKSPACE, other);
    const harness = job(at);
    const ctx = harness.context();
    await terraformDeploy.fetch?.(ctx);
    await terraformDeploy.validate?.(ctx);
    await terraformDeploy.initialize?.(ctx);
    await expect(terraformDeploy.execute(ctx)).rejects.toThrow("the state is locked by somebody (apply)");
    await terraformDeploy.cleanup?.(ctx);
    expect(at.server.locks.get(WORKSPACE)).toBe(other);
  }, 30_000);

  test("gives terraform's first error as the reason of a failed plan", async () => {
    const at = bed({ "main.tf": 'output "o" { value = var.missing }\n' });
    expect(await job(at).run()).toMatchObject({
      status: "failed",
      reason: "terraform plan failed (exit 1): Reference to undeclared input variable",
    });
  }, 30_000);

  test("shows what a failed apply did make, and fails with the provisioner's error", async () => {
    const at = bed({
      "main.tf": `
resource "terraform_data" "good" { input = "made" }
resource "terraform_data" "bad" {
  depends_on = [terraform_data.good]
  provisioner "local-exec" { command = "exit 7" }
}
`,
    });
    const { applied, harness } = await change(at);
    expect(applied.reason).toBe("terraform apply failed (exit 1): local-exec provisioner error");
    expect(Buffer.from(at.server.stateJson.get(WORKSPACE) ?? []).toString()).toContain("terraform_data.good");
    expect(harness.steps.at(-1)).toMatchObject({ name: "apply", status: "error", code: 1 });
  }, 30_000);

  test("still succeeds when only the display of its state cannot be stored", async () => {
    const at = bed({ "main.tf": MODULE });
    at.server.refuseStateJson = true;
    const { applied, harness } = await change(at);
    expect(applied).toMatchObject({ status: "finished" });
    expect(applied.outputs?.greeting).toBe("hello world");
    expect(harness.logged.join("\n")).toContain("state could not be shown on the control plane");
  }, 30_000);

  test("pushes a state that terraform could not save, then frees the lock", async () => {
    const at = bed({ "main.tf": MODULE });
    const contents = contentsOf(await job(at).run());
    const harness = job(at, { operation: "apply-plan", contents });
    at.server.refuseState = 400;
    const ctx = harness.context();
    await terraformDeploy.fetch?.(ctx);
    await terraformDeploy.validate?.(ctx);
    await terraformDeploy.initialize?.(ctx);
    await expect(terraformDeploy.execute(ctx)).rejects.toThrow("terraform apply failed (exit 1)");
    expect(at.server.states.get(WORKSPACE)).toBeUndefined();
    at.server.refuseState = null;
    await terraformDeploy.cleanup?.(ctx);
    expect(at.server.states.get(WORKSPACE)).toContain("hello world");
    expect(harness.unlocked).toEqual([WORKSPACE]);
  }, 30_000);

  test("keeps the workspace and the lock, and says where, when the state is refused to the end", async () => {
    const at = bed({ "main.tf": MODULE });
    const contents = contentsOf(await job(at).run());
    const harness = job(at, { operation: "apply-plan", contents });
    at.server.refuseState = 400;
    const outcome = await harness.run();
    const file = join(harness.work, "module", "errored.tfstate");
    expect(outcome.status).toBe("failed");
    expect(outcome.cleanupError).toBeInstanceOf(KeepWorkspaceError);
    expect(String(outcome.cleanupError)).toContain(file);
    expect(existsSync(file)).toBe(true);
    expect(harness.unlocked).toEqual([]);
  }, 30_000);

  test("runs each terraform command once when a crash makes its steps run again", async () => {
    const at = bed({ "main.tf": MODULE });
    const contents = contentsOf(await job(at).run());
    const harness = job(at, { operation: "apply-plan", contents });
    for (const step of ["fetch", "fetch", "validate", "validate", "initialize", "initialize"] as const) {
      await terraformDeploy[step]?.(harness.context());
    }
    await terraformDeploy.execute(harness.context());
    const serial = JSON.parse(at.server.states.get(WORKSPACE) ?? "{}").serial;
    await terraformDeploy.execute(harness.context());
    await terraformDeploy.outputs?.(harness.context());
    expect((await terraformDeploy.outputs?.(harness.context()))?.values).toMatchObject({ greeting: "hello world" });
    expect(harness.runs.map(({ key }) => key)).toEqual(["init", "apply", "show-state"]);
    expect(JSON.parse(at.server.states.get(WORKSPACE) ?? "{}").serial).toBe(serial);
  }, 30_000);

  test("ignores state and plug-ins that its author packed with the module", async () => {
    const at = bed({
      "main.tf": MODULE,
      "terraform.tfstate": '{"version":4,"serial":9,"lineage":"x","outputs":{},"resources":[]}',
      ".terraform/terraform.tfstate": '{"version":3,"backend":{"type":"local","config":{}}}',
    });
    expect((await change(at)).applied.status).toBe("finished");
  }, 30_000);
});

/** Every file of a zip, inflated, one after another. */
function unzipped(zip: Buffer): string {
  const texts: string[] = [];
  let at = zip.readUInt32LE(zip.lastIndexOf("PK\x05\x06") + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [method, size, start] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)];
    const data = start + 30 + zip.readUInt16LE(start + 26) + zip.readUInt16LE(start + 28);
    const bytes = zip.subarray(data, data + size);
    texts.push((method === 0 ? bytes : inflateRawSync(bytes)).toString("latin1"));
    at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return texts.join("\n");
}
