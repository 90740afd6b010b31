import { afterEach, describe, expect, test } from "bun:test";
import { bed, change, contentsOf, disposeTerraformJobs, job, MODULE } from "../lib/terraform-jobs.ts";

const noTerraform = Bun.which("terraform") === null;
const inCi = process.env.CI === "true";
afterEach(disposeTerraformJobs);

const say = (name: string, more = "") =>
  `#!/bin/sh\necho "hook ${name}: $GREETING $TEAM in $(ls *.tf | head -n 1)"\n${more}`;
const SCRIPTS = {
  "pre-apply.sh": say("pre"),
  "post-apply.sh": say("post"),
  "error-apply.sh": say("error"),
  "pre-destroy.sh": say("pre destroy"),
  "post-destroy.sh": say("post destroy"),
};
const hooks = { Enabled: true, EnvVars: { GREETING: "hi" }, RunAuth: null };
const block = { hooks, env_vars: { TEAM: "net", GREETING: "low" } };
const spoken = (harness: { log(): string }) =>
  [...harness.log().matchAll(/^hook ([^:]+): (.*)$/gm)].map((hit) => hit[1]);

describe.skipIf(noTerraform && !inCi)("hooks of a terraform module", () => {
  test("run before and after the apply, as steps, with the environment of terraform and of the hooks", async () => {
    const { applied, harness } = await change(bed({ "main.tf": MODULE, ...SCRIPTS }), { block });
    expect(applied.reason).toBe("");
    expect(harness.steps.map(({ name, code }) => [name, code])).toEqual([
      ["init", 0],
      ["pre-apply", 0],
      ["apply", 0],
      ["post-apply", 0],
    ]);
    expect(harness.log()).toContain("hook pre: hi net in main.tf");
    expect(spoken(harness)).toEqual(["pre", "post"]);
  }, 60_000);

  test("of a destroy are those of a destroy", async () => {
    const at = bed({ "main.tf": MODULE, ...SCRIPTS });
    await change(at, { block });
    const destroy = { ...block, destroy: true };
    const planned = await job(at, { operation: "create-teardown-plan", block: destroy }).run();
    const harness = job(at, { operation: "apply-plan", contents: contentsOf(planned), block: destroy });
    expect((await harness.run()).reason).toBe("");
    expect(spoken(harness)).toEqual(["pre destroy", "post destroy"]);
  }, 60_000);

  test("are not run by a plan, without the job's wish, or as a Nuon server sends them with every deploy", async () => {
    for (const mine of [{}, { hooks: null }, { hooks: { Enabled: false, EnvVars: null, RunAuth: { region: "" } } }]) {
      const { harness } = await change(bed({ "main.tf": MODULE, ...SCRIPTS }), { block: mine });
      expect(spoken(harness)).toEqual([]);
    }
    const planning = job(bed({ "main.tf": MODULE, ...SCRIPTS }), { block });
    await planning.run();
    expect(spoken(planning)).toEqual([]);
  }, 90_000);

  test("before an apply that fail stop it: nothing is applied, and the reason names the hook", async () => {
    const files = { "main.tf": MODULE, ...SCRIPTS, "pre-apply.sh": say("pre", "exit 3\n") };
    const at = bed(files);
    const { applied, harness } = await change(at, { block });
    expect(applied.reason).toBe("the hook pre-apply.sh exited with 3");
    expect(harness.runs.some(({ key }) => key === "apply")).toBe(false);
    expect(at.server.states.size).toBe(0);
  }, 60_000);

  test("after an apply that fails get their turn, and never hide its reason", async () => {
    const broken = `${MODULE}\nresource "terraform_data" "no" {\n  provisioner "local-exec" { command = "exit 7" }\n}\n`;
    const files = { "main.tf": broken, ...SCRIPTS, "error-apply.sh": say("error", "exit 4\n") };
    const { applied, harness } = await change(bed(files), { block });
    expect(applied.reason).toStartWith("terraform apply failed (exit 1)");
    expect(spoken(harness)).toEqual(["pre", "error"]);
    expect(harness.log()).toContain("the hook error-apply.sh exited with 4");
  }, 60_000);

  test("after an apply that fail make the job fail, with the state kept", async () => {
    const at = bed({ "main.tf": MODULE, ...SCRIPTS, "post-apply.sh": say("post", "exit 5\n") });
    const { applied } = await change(at, { block });
    expect(applied.reason).toBe("the hook post-apply.sh exited with 5");
    expect(at.server.states.size).toBe(1);
  }, 60_000);
});
