import { afterEach, describe, expect, test } from "bun:test";
import { bed, disposeTerraformJobs, type JobInput, job, MODULE } from "../lib/terraform-jobs.ts";

afterEach(disposeTerraformJobs);

describe("a terraform job is refused in one line, before terraform runs,", () => {
  const good = { "main.tf": MODULE };
  const own = (kind: string) => ({ "main.tf": MODULE, "z.tf": `terraform {\n  # mine\n  ${kind} {}\n}\n` });
  const unusable = "the plan of this terraform job cannot be used: ";
  const cases: readonly (readonly [string, Record<string, string>, JobInput, string])[] = [
    ["when it names no workspace", good, { block: { terraform_backend: null } }, `${unusable}it names no workspace`],
    ["when it has no terraform block", good, { plan: { terraform: null } }, `${unusable}it has no terraform block`],
    ["when it names no source", good, { plan: { src_registry: null } }, `${unusable}it names no source`],
    [
      "when its operation is unknown",
      good,
      { operation: "exec" },
      `${unusable}operation exec is none of create-apply-plan`,
    ],
    ["when an apply has no saved plan", good, { operation: "apply-plan" }, `${unusable}an apply needs a saved plan`],
    ["when the saved plan is damaged", good, { operation: "apply-plan", contents: "a*b" }, "the saved plan"],
    [
      "when its env would redirect the state",
      good,
      { block: { env_vars: { TF_HTTP_ADDRESS: "x" } } },
      "the plan sets TF_HTTP_ADDRESS",
    ],
    [
      "when its env would add arguments",
      good,
      { block: { env_vars: { TF_CLI_ARGS_plan: "x" } } },
      "the plan sets TF_CLI_ARGS_plan",
    ],
    [
      "when its module has a backend",
      own('backend "local"'),
      {},
      "the module configures its own local backend in z.tf",
    ],
    ["when its module uses the cloud", own("cloud"), {}, "the module configures its own cloud backend in z.tf"],
    ["when its module lies elsewhere", good, { plan: { src_path: "sub" } }, "the source has no folder sub"],
    ["when its path leaves the source", good, { plan: { src_path: "a/../../b" } }, `${unusable}the path`],
    ["when its source has no module", { "README.md": "x" }, {}, "there is no .tf file in the source"],
    [
      "when its component is unknown",
      good,
      { plan: { component_id: "other" } },
      "the app config has no terraform module",
    ],
  ];
  for (const [what, files, input, reason] of cases) {
    test(what, async () => {
      const at = bed(files);
      const harness = job(at, input);
      const outcome = await harness.run();
      expect(outcome.reason).toStartWith(reason);
      expect(outcome.reason).not.toContain("\n");
      expect(outcome.cleanupError).toBeNull();
      expect(harness.runs).toEqual([]);
      expect(harness.unlocked).toEqual([]);
    });
  }
});
