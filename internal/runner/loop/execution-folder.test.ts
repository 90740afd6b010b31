import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Completion } from "../../protocol/native.ts";
import { executionFolder } from "./execution-folder.ts";

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "folder-"));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const COMPLETION: Completion = {
  execution_id: "run1",
  epoch: 1,
  status: "finished",
  reason: "",
  code: "",
  result: { success: true, contents: "c2VjcmV0" },
  outputs: { password: "s3cret-value" },
  sensitive_outputs: ["password"],
  steps: [],
};

test("the outcome outlives the removal of the folder, without its outputs, until the control plane has it", async () => {
  const folder = executionFolder(state, { id: "run1", epoch: 1 });
  folder.make();
  folder.saveReport(COMPLETION);
  await folder.remove();
  expect(existsSync(folder.root)).toBe(false);
  expect(folder.loadReport()).toMatchObject({ status: "finished", result: null, outputs: null });
  const left = readdirSync(join(state, "executions"));
  expect(left.map((name) => readFileSync(join(state, "executions", name), "utf8")).join("")).not.toContain("s3cret");
  folder.forgetReport();
  expect(readdirSync(join(state, "executions"))).toEqual([]);
});

test("a removal without an outcome leaves nothing, and may be repeated", async () => {
  const folder = executionFolder(state, { id: "run1", epoch: 1 });
  folder.make();
  await folder.remove();
  await folder.remove();
  folder.forgetReport();
  expect(readdirSync(join(state, "executions"))).toEqual([]);
});
