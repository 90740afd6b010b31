import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { renderTerraformDiff } from "./terraform-diff.ts";
import { decodePlanDisplay, isEmptyPlan, type TerraformPlan, terraformPlan } from "./terraform-plan.ts";

const MODULE = `
variable "secret" {
  sensitive = true
  default   = "hunter2-secret"
}
variable "color" { default = "red" }
variable "keep" { default = true }
resource "terraform_data" "made" {
  input = { color = var.color, list = ["a", "b"], secret = var.secret, "odd key" = 1 }
}
resource "terraform_data" "replaced" { triggers_replace = [var.color] }
resource "terraform_data" "gone" {
  count = var.keep ? 1 : 0
  input = "bye"
}
output "color" { value = var.color }
output "secret" {
  value     = var.secret
  sensitive = true
}
`;

const terraform = Bun.which("terraform");

describe.skipIf(terraform === null)("a real terraform plan", () => {
  const folder = mkdtempSync(join(tmpdir(), "diff-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (...args: string[]): string => {
    const env = { PATH: process.env.PATH ?? "", HOME: folder, CHECKPOINT_DISABLE: "1" };
    const done = Bun.spawnSync([terraform ?? "", ...args], { cwd: folder, env });
    if (done.exitCode !== 0) throw new Error(done.stderr.toString());
    return done.stdout.toString();
  };
  const planned = (...args: string[]): TerraformPlan => {
    run("plan", "-input=false", "-out=p", ...args);
    return terraformPlan.parse(JSON.parse(run("show", "-json", "p")));
  };
  const plans: Record<string, TerraformPlan> = {};
  const text = (name: string) => renderTerraformDiff(plans[name] ?? {});

  beforeAll(() => {
    writeFileSync(join(folder, "main.tf"), MODULE);
    run("init", "-input=false");
    plans.create = planned();
    run("apply", "-input=false", "p");
    plans.same = planned();
    plans.update = planned("-var=color=blue", "-var=keep=false");
    plans.destroy = planned("-destroy");
  }, 60_000);

  test("shows what is created, with values known only after the apply", () => {
    expect(text("create")).toContain('  + resource "terraform_data" "gone" {\n      + id     = (known after apply)\n');
    expect(text("create")).toContain("Plan: 3 to add, 0 to change, 0 to destroy.");
    expect(text("create")).toContain('  + color = "red"');
  });

  test("shows an update in place as old → new, attribute by attribute", () => {
    expect(text("update")).toContain("# terraform_data.made will be updated in place");
    expect(text("update")).toContain(
      '          ~ color = "red" -> "blue"\n            # (3 unchanged attributes hidden)',
    );
  });

  test("shows what is replaced and why, and what is destroyed", () => {
    expect(text("update")).toContain("# terraform_data.replaced must be replaced\n-/+ resource");
    expect(text("update")).toContain("# forces replacement");
    expect(text("update")).toContain("# terraform_data.gone[0] will be destroyed");
    expect(text("update")).toContain("Plan: 1 to add, 1 to change, 2 to destroy.");
    expect(text("destroy")).toContain("Plan: 0 to add, 0 to change, 3 to destroy.");
  });

  test("never shows a sensitive value, not even where a provider copied it unmarked", () => {
    for (const name of ["create", "update", "destroy"]) {
      expect(text(name)).toContain("(sensitive)");
      expect(text(name)).not.toContain("hunter2-secret");
    }
  });

  test("counts as empty only when there is nothing to apply", () => {
    expect(isEmptyPlan(plans.same ?? {})).toBe(true);
    expect(text("same")).toBe("No changes. The infrastructure matches the configuration.\n");
    for (const name of ["create", "update", "destroy"]) expect(isEmptyPlan(plans[name] ?? {})).toBe(false);
  });
});

describe("a plan that changes little", () => {
  const still = { address: "a.b", type: "a", name: "b", change: { actions: ["no-op"] } };

  test("is not empty when only an output, a move, an import or a removal from the state is in it", () => {
    expect(isEmptyPlan({ resource_changes: [still] })).toBe(true);
    expect(isEmptyPlan({ output_changes: { a: { actions: ["update"] } } })).toBe(false);
    expect(isEmptyPlan({ resource_changes: [{ ...still, previous_address: "a.c" }] })).toBe(false);
    expect(isEmptyPlan({ resource_changes: [{ ...still, change: { actions: ["no-op"], importing: {} } }] })).toBe(
      false,
    );
    expect(isEmptyPlan({ resource_changes: [{ ...still, change: { actions: ["forget"] } }] })).toBe(false);
    expect(isEmptyPlan({ deferred_changes: [{}] })).toBe(false);
  });

  test("is read from URL-safe and from standard base64, and refused when it is anything else", () => {
    const packed = gzipSync(JSON.stringify({ resource_changes: [still], x: "~~??" }));
    expect(decodePlanDisplay(packed.toString("base64url")).ok).toBe(true);
    expect(decodePlanDisplay(packed.toString("base64")).ok).toBe(true);
    expect(decodePlanDisplay(Buffer.from("no gzip").toString("base64")).ok).toBe(false);
    expect(decodePlanDisplay(gzipSync("[1]").toString("base64")).ok).toBe(false);
    expect(decodePlanDisplay(gzipSync('{"resource_changes": 5}').toString("base64")).ok).toBe(false);
  });
});
