import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { type ActionWorkflowRunPlan, actionWorkflowRunPlan, deployPlan } from "../../internal/protocol/nuon/plans.ts";
import { pairSteps } from "../../internal/runner/handlers/actions/pair-steps.ts";
import { stepEnvironment } from "../../internal/runner/handlers/actions/step-environment.ts";
import { parseHcl } from "../../internal/runner/handlers/terraform/hcl.ts";
import { moduleFacts } from "../../internal/runner/handlers/terraform/module-facts.ts";
import { terraformWork } from "../../internal/runner/handlers/terraform/terraform-work.ts";
import { secretVariableValues } from "../../internal/runner/handlers/terraform/variables.ts";
import { PLAN_LIMIT_CHARS, parsePlan } from "../../internal/runner/parse-plan.ts";
import { folderOf } from "../lib/handler-harness.ts";
import { seeded } from "../lib/seeded.ts";

const SECRET = "hunter2-stands-in-the-plan";
const DEPLOY = {
  app_id: "a",
  app_config_id: "c",
  component_id: "m",
  src_registry: {
    RegistryType: "private_oci",
    OCIAuth: { Username: "u", Password: SECRET },
    Repository: "r",
    LoginServer: "h",
  },
  src_tag: "t",
  src_path: "modules/net",
  apply_plan_contents: "UEsDBAo=",
  terraform: {
    vars: { name: "x", list: [1, { a: null }] },
    env_vars: { AWS_SECRET_ACCESS_KEY: SECRET },
    vars_files: ['{"a":1}', `password = "${SECRET}"`, ""],
    terraform_backend: { workspaceID: "tfw" },
    hooks: null,
  },
  sandbox_mode: { enabled: false, outputs: {} },
};
const ACTION = {
  id: "r",
  install_id: "i",
  attrs: { "action.name": "n" },
  steps: [
    { run_id: "s0", interpolated_command: "echo 'a b'", interpolated_env_vars: { A: SECRET }, git_source: null },
    {
      run_id: "s1",
      interpolated_inline_contents: "#!/bin/sh\n",
      git_source: { url: "https://x/y", ref: "main", path: "." },
    },
  ],
  builtin_env_vars: { NUON_API_TOKEN: SECRET },
  override_env_vars: null,
};
const row = { created_by_id: "t" };
const DOCUMENTS = {
  run: {
    id: "r",
    ...row,
    steps: [
      { id: "s0", ...row, step_id: "c0" },
      { id: "s1", ...row, step_id: "c1" },
    ],
  },
  config: {
    id: "c",
    ...row,
    steps: [
      { id: "c0", ...row, name: "a" },
      { id: "c1", ...row, name: "b", command: "true" },
    ],
  },
};

const tools = { env: (extra: Readonly<Record<string, string>>) => ({ PATH: "/bin", RUNNER_EXECUTION: "e", ...extra }) };
function useDeploy(text: string): void {
  const plan = parsePlan(deployPlan, text);
  const work = terraformWork(plan, "apply-plan");
  secretVariableValues(work, ["password", "name"]);
}
function useAction(text: string): void {
  const plan: ActionWorkflowRunPlan = parsePlan(actionWorkflowRunPlan, text);
  for (const step of pairSteps(plan, DOCUMENTS)) {
    stepEnvironment(tools, { plan, run: DOCUMENTS.run, step, outputs: "/o", root: "/w" });
  }
}
const PARSERS = [
  ["a terraform job", DEPLOY, useDeploy],
  ["an action", ACTION, useAction],
] as const;

/** The error of a use that may fail: always ours, on one line, without anything secret. */
function errorOf(use: (text: string) => void, text: string): RunnerError | null {
  try {
    use(text);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(RunnerError);
    if (!(error instanceof RunnerError)) return null;
    expect(error.message).not.toContain(SECRET);
    expect(error.message).not.toContain("\n");
    return error;
  }
}

describe("a plan document", () => {
  for (const [name, good, use] of PARSERS) {
    const text = JSON.stringify(good);

    test(`of ${name} is read as it is`, () => {
      expect(errorOf(use, text)).toBeNull();
    });

    test(`of ${name} that is cut off anywhere is refused with a reason`, () => {
      for (let length = 0; length < text.length; length += 1) {
        expect(errorOf(use, text.slice(0, length))?.message).toStartWith("the plan cannot be read: ");
      }
    });

    test(`of ${name} with any part replaced is taken or refused with a reason, never a crash`, () => {
      const random = seeded(20261121);
      let refused = 0;
      for (let round = 0; round < 3_000; round += 1) {
        const mutant = JSON.stringify(mutate(structuredClone(good), random));
        if (errorOf(use, mutant) !== null) refused += 1;
      }
      expect(refused).toBeGreaterThan(500);
    });
  }

  test("that is no object at all, or far too large, is refused", () => {
    for (const text of ["", "null", "[]", "1", '"x"', "<html>", "{}{}", '{"a":1}x', "\0"]) {
      for (const [, , use] of PARSERS) expect(errorOf(use, text)).not.toBeNull();
    }
    expect(errorOf(useDeploy, " ".repeat(PLAN_LIMIT_CHARS + 1))?.message).toContain("larger than");
  });

  test("is read with keys in any case, as Go does", () => {
    const odd = JSON.stringify(DEPLOY)
      .replace('"src_tag"', '"SRC_TAG"')
      .replace('"terraform_backend"', '"Terraform_Backend"');
    expect(errorOf(useDeploy, odd)).toBeNull();
  });
});

describe("module files", () => {
  const GOOD = `
terraform { # x
  backend "s3" { key = "\${var.a["b"]}}" }
}
variable "p" {
  sensitive = true
  default = <<-EOT
    terraform { backend "no" {} }
  EOT
}
`;
  test("of any content are read without a crash", () => {
    const random = seeded(7);
    const pieces = [
      "{",
      "}",
      '"',
      "\\",
      "${",
      "<<EOT\n",
      "EOT\n",
      "\n",
      "=",
      "variable",
      '"x"',
      "/*",
      "*/",
      "#",
      "[",
      ")",
      "é",
      "\0",
    ];
    for (let round = 0; round < 2_000; round += 1) {
      const text = Array.from({ length: random(40) }, () => pieces[random(pieces.length)] ?? "").join(
        " ".repeat(random(2)),
      );
      expect(parseHcl(text).blocks).toBeArray();
    }
    for (let cut = 0; cut < GOOD.length; cut += 1) expect(parseHcl(GOOD.slice(0, cut)).blocks).toBeArray();
    expect(parseHcl("a {".repeat(100_000)).blocks).toBeArray();
  });

  test("show their backend and sensitive variables, in both syntaxes, and nothing that only looks so", () => {
    const facts = (files: Record<string, string>) => {
      const folder = folderOf(files);
      try {
        return moduleFacts(folder);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    };
    expect(facts({ "main.tf": GOOD })).toEqual({
      files: 1,
      ownBackend: { file: "main.tf", kind: "s3" },
      sensitiveVariables: ["p"],
    });
    const json = {
      terraform: [{ backend: { gcs: {} } }],
      variable: { a: { sensitive: true }, b: [{ sensitive: true }], c: {} },
    };
    expect(facts({ "m.tf.json": JSON.stringify(json) })).toMatchObject({
      ownBackend: { kind: "gcs" },
      sensitiveVariables: ["a", "b"],
    });
    const harmless = `
# terraform { backend "s3" {} }
/* terraform { backend "s3" {} } */
locals { text = "terraform { backend \\"s3\\" {} }" }
resource "x" "backend" { cloud = "y" }
variable "a" { sensitive = false }
terraform { required_version = ">= 1.0" }
`;
    expect(facts({ "main.tf": harmless, "broken.tf.json": "{" })).toEqual({
      files: 2,
      ownBackend: null,
      sensitiveVariables: [],
    });
  });
});

/** One to three random places of a document get another value, another key, or go. */
function mutate(document: unknown, random: (below: number) => number): unknown {
  for (let left = 1 + random(3); left > 0; left -= 1) {
    const places = placesOf(document);
    const place = places[random(places.length)];
    if (place === undefined) return document;
    const { parent, key } = place;
    const kind = random(12);
    if (kind === 0) delete parent[key];
    else if (kind === 1) parent[`${key}\u0000`] = parent[key];
    else parent[key] = structuredClone(STRANGE[random(STRANGE.length)]);
  }
  return document;
}

const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  "",
  " ",
  "\0",
  "'",
  "../..",
  "/etc",
  "a=b",
  "é🚀",
  "x".repeat(5_000),
  [],
  [null],
  [[]],
  {},
  { "": "" },
  { __proto__: null, "A=B": "c" },
  { TF_WORKSPACE: "x" },
  { a: { b: { c: [] } } },
];

function placesOf(value: unknown): { parent: Record<string, unknown>; key: string }[] {
  if (value === null || typeof value !== "object") return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesOf(parent[key])]);
}
