import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { makeBed } from "../faults/lib/processes.ts";

/** `plan:` in place of `spec:`: the wire document as it stands, for our own runner. */
const bed = makeBed();
afterAll(() => bed.end());

async function runLocal(name: string, job: object) {
  const file = bed.path(`${name}.yaml`);
  writeFileSync(file, JSON.stringify(job));
  const { code, stdout, stderr } = await bed.run(["run-local", file, "--json"]);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

test("an exact plan of an action runs: its run and config are made of the plan", async () => {
  const step = (run_id: string, name: string, text: string) => ({
    run_id,
    attrs: { "step.name": name },
    interpolated_env_vars: { WHO: name },
    git_source: { url: "", ref: "", path: "", recurse_submodules: false },
    interpolated_inline_contents: text,
    interpolated_command: "",
  });
  const plan = {
    ...{ id: "iartest0000000000000000001", install_id: "inltest0000000000000000001", attrs: {} },
    steps: [
      step("iastest0000000000000000001", "first", '#!/bin/sh\necho "a=$WHO" >> "$NUON_ACTIONS_OUTPUT_FILEPATH"\n'),
      step("iastest0000000000000000002", "second", '#!/bin/sh\necho "b=$WHO" >> "$NUON_ACTIONS_OUTPUT_FILEPATH"\n'),
    ],
  };
  const ended = await runLocal("action", { type: "actions-workflow", plan });
  expect(ended).toMatchObject({
    status: "finished",
    outputs: { a: "first", b: "second" },
    steps: [{ name: "first" }, { name: "second" }],
  });
}, 60_000);

test.skipIf(Bun.which("terraform") === null && process.env.CI !== "true")(
  "an exact plan of terraform runs with the terraform that is there (needs terraform)",
  async () => {
    const repository = bed.path("repository");
    mkdirSync(repository);
    writeFileSync(`${repository}/main.tf`, 'output "x" { value = "1" }\n');
    for (const args of [
      ["init", "-q", "-b", "main"],
      ["add", "."],
      ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ]) {
      expect(Bun.spawnSync(["git", "-C", repository, ...args]).success).toBe(true);
    }
    const plan = {
      ...{ install_id: "inl1", app_id: "app1", app_config_id: "apc1", component_id: "cmp1", component_name: "demo" },
      src_git: { url: `file://${repository}`, ref: "main", path: "", recurse_submodules: false },
      terraform: { vars: {}, env_vars: {}, terraform_backend: { WorkspaceID: "tfwtest0000000000000000001" } },
    };
    const ended = await runLocal("terraform", { type: "terraform-deploy", operation: "plan", plan });
    expect(ended).toMatchObject({ status: "finished", steps: [{ name: "init" }, { name: "plan" }] });
  },
  60_000,
);
