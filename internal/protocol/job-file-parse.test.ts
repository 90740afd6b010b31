import { describe, expect, test } from "bun:test";
import { JOB_FILE_LIMIT, parseJobDocument, parseJobFile } from "./job-file-parse.ts";

const parse = (text: string, name = "job.yaml") => parseJobFile(text, name);
const faultOf = (text: string, name?: string): string => {
  const parsed = parse(text, name);
  return parsed.ok ? "accepted" : parsed.error.message;
};

describe("a job file is read", () => {
  test("as YAML and as JSON, with durations in milliseconds", () => {
    const yaml = parse("type: actions-workflow\ntimeout: 1h30m\nspec:\n  steps:\n    - {name: a, run: echo hi}\n");
    const json = parse(
      '{"type":"actions-workflow","timeout":"90m","spec":{"steps":[{"name":"a","run":"echo hi"}]}}',
      "j.json",
    );
    if (!yaml.ok || !json.ok) throw new Error("both are valid");
    expect(yaml.value.file.timeout).toBe(5_400_000);
    expect(json.value.file.timeout).toBe(5_400_000);
    expect(yaml.value.work).toEqual({ kind: "action", spec: { steps: [{ name: "a", run: "echo hi" }] } });
    expect(yaml.value.document.timeout).toBe("1h30m");
  });

  test("with apply as the operation of a terraform job that names none", () => {
    const parsed = parse("type: terraform-deploy\nspec: {source: {path: ./m}, workspace: net}");
    expect(parsed.ok && parsed.value.work.kind === "terraform" && parsed.value.work.operation).toBe("apply");
  });

  test("with an exact wire plan in place of a spec", () => {
    const parsed = parse('type: noop\nplan: {any: ["thing"]}');
    expect(parsed.ok && parsed.value.work).toEqual({ kind: "plan", plan: { any: ["thing"] } });
  });
});

describe("a job file is refused in words that help", () => {
  test.each([
    ["tpye: noop", 'unknown key "tpye"; allowed: type'],
    ["type: nop", 'did you mean "noop"?'],
    ["type: noop\ntimeout: 30", "timeout: found 30"],
    ["type: noop\ntimeout: 30x", '"30x" is not a duration'],
    ["type: noop\nretry: {attempts: 50}", "retry.attempts: found 50; expected at most 20"],
    ["type: noop\nspec: {a: 1}", 'spec: unknown key "a"'],
    ["type: noop\noperation: plan", "leave it out for noop"],
    ["type: noop\nspec: {}\nplan: {}", "has both spec and plan"],
    ["type: terraform-deploy\nspec: {source: {pth: .}, workspace: n}", 'spec.source: unknown key "pth"'],
    [
      "type: terraform-deploy\nspec: {source: {path: .}, workspace: 'a b'}",
      "letters, digits, dot, dash and underscore",
    ],
    [
      "type: terraform-deploy\noperation: plan\napproval: required\nspec: {source: {path: .}, workspace: n}",
      "approval",
    ],
    ["type: actions-workflow\nspec: {steps: [{name: a}]}", "exactly one of command and run"],
    ["type: actions-workflow\nspec: {steps: [{name: a, run: x}, {name: a, run: y}]}", "step names must differ"],
    ["type: shut-down\nspec: {shutdown_type: forced}", 'did you mean "force"?'],
    ["type: docker-build\nspec: {a: 1}", "not built into this version"],
    ["type: noop\n---\ntype: noop", "holds 2 documents"],
    ["", "empty"],
    ["a: [", "not YAML"],
    ["- a", "found a list of 1"],
  ])("%j", (text, expected) => {
    expect(faultOf(text)).toContain(expected);
    expect(faultOf(text)).toStartWith("job.yaml: ");
  });

  test("when a number would be altered on its way", () => {
    const text =
      "type: terraform-deploy\nspec: {source: {path: .}, workspace: n, vars: {account: 12345678901234567890}}";
    expect(faultOf(text)).toContain("spec.vars.account: the number");
  });

  test("when an alias makes it endless, or it is nested without end", () => {
    expect(faultOf("type: noop\nspec: &a {b: *a}")).toContain("nested deeper");
    expect(faultOf("[".repeat(200_000))).toContain("not YAML");
  });

  test("when it is larger than 1 MiB", () => {
    expect(faultOf(`type: noop\nname: ${"x".repeat(JOB_FILE_LIMIT)}`)).toContain("larger than 1 MiB");
  });

  test("with at most twenty lines, however many faults it has", () => {
    const steps = Array.from({ length: 50 }, (_, i) => `    - {name: s${i}, rn: x, run: y}`).join("\n");
    const lines = faultOf(`type: actions-workflow\nspec:\n  steps:\n${steps}\n`).split("\n");
    expect(lines.length).toBe(21);
    expect(lines.at(-1)).toBe("… and 30 more");
  });
});

describe("a job of a plug-in's type", () => {
  test("takes its spec as it is for the plan", () => {
    const parsed = parseJobDocument({ type: "x-greet", spec: { who: "world", deep: { n: [1] } } }, "job");
    expect(parsed.ok && parsed.value.work).toEqual({ kind: "plan", plan: { who: "world", deep: { n: [1] } } });
  });
  test("has an empty plan when it has no spec", () => {
    const parsed = parseJobDocument({ type: "x-greet" }, "job");
    expect(parsed.ok && parsed.value.work).toEqual({ kind: "plan", plan: {} });
  });
  test.each(["x-", "x-Greet", "x-a--b", "x-a_b", `x-${"a".repeat(63)}`])("is not called %s", (type) => {
    const parsed = parseJobDocument({ type }, "job");
    expect(!parsed.ok && parsed.error.message).toEndWith(
      "or x-NAME of a plug-in, in lower case letters, digits and single dashes",
    );
  });
});
