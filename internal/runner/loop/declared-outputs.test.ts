import { describe, expect, test } from "bun:test";
import type { JobContext, JobOptions } from "../handler.ts";
import { declaredOutputs } from "./declared-outputs.ts";

type Asked = Pick<JobContext<unknown>, "job" | "options" | "secrets">;

function ask(outputs: NonNullable<JobOptions["outputs"]>, operation: "exec" | "create-apply-plan" = "exec") {
  const registered: string[] = [];
  const ctx: Asked = {
    job: { id: "job1", type: "actions-workflow", operation },
    options: { verify: false, sensitive_vars: [], outputs },
    secrets: { register: (...values) => registered.push(...values.flatMap((value) => value ?? [])) },
  };
  return { ctx: ctx as JobContext<unknown>, registered };
}
const FOUND = { values: { answer: "42", key: { id: 7, secret: "hunter2" }, empty: null }, sensitive: ["other"] };

describe("what a job file asks of outputs", () => {
  test("fails the job when a required one is missing or null, and says which are there", () => {
    const { ctx } = ask({
      answer: { required: true, sensitive: false },
      gone: { required: true, sensitive: false },
      empty: { required: true, sensitive: false },
    });
    expect(() => declaredOutputs(ctx, FOUND, () => false)).toThrow(
      'missing_output: the job file requires "gone", "empty"; the work\'s outputs are: answer, key, empty',
    );
  });

  test("hides a sensitive one with everything inside, beside those the work itself hides", () => {
    const { ctx, registered } = ask({ key: { required: true, sensitive: true } });
    expect(declaredOutputs(ctx, FOUND, () => false)).toEqual({ values: FOUND.values, sensitive: ["other", "key"] });
    expect(registered).toEqual(["7", "hunter2"]);
  });

  test("requires nothing of a plan, which makes nothing", () => {
    const { ctx } = ask({ gone: { required: true, sensitive: false } }, "create-apply-plan");
    expect(declaredOutputs(ctx, FOUND, () => false).values).toEqual(FOUND.values);
  });

  test("hides what holds a secret of the job, wherever it stands, and nothing else", () => {
    const values = {
      answer: "42",
      url: "https://ci:hunter2@example.com",
      deep: { list: ["x", "hunter2"] },
      steps: { one: { token: "hunter2", plain: "p" }, two: null },
    };
    const secretIn = (text: string) => text.includes("hunter2");
    expect(declaredOutputs(ask({}).ctx, { values, sensitive: ["other"] }, secretIn)).toEqual({
      values,
      sensitive: ["other", "url", "deep", "token"],
    });
  });
});
