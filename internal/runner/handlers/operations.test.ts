import { describe, expect, test } from "bun:test";
import { JOB_TYPES } from "../../protocol/enums.ts";
import type { Handler, JobContext } from "../handler.ts";
import { registry } from "./registry.ts";

/** A context in which only what is named may be touched: anything else fails the test. */
function only(parts: Partial<JobContext<unknown>>): JobContext<unknown> {
  const forbid = (_: object, key: string | symbol) => {
    throw new Error(`touched ${String(key)}`);
  };
  return new Proxy(parts, {
    get: (target, key) => Reflect.get(target, key) ?? forbid(target, key),
  }) as JobContext<unknown>;
}
const job = (type: string, metadata: Record<string, string> = {}): JobContext<unknown>["job"] => ({
  id: "j",
  created_by_id: "t",
  type,
  operation: "exec",
  metadata,
});
const control = {
  version: "1",
  settings: () => null,
  checkLoops: () => ({ deploy: 5 }),
  shutdown: () => {},
  freshSettings: async () => null,
};
const BUILT = [
  "actions-workflow",
  "container",
  "helm-chart-deploy",
  "kubernetes-manifest-deploy",
  "script",
  "terraform-deploy",
  "job-deploy",
  "health-check",
  "noop",
  "noop-deploy",
  "shut-down",
  "update-version",
  "mng-shut-down",
  "mng-vm-shut-down",
  "mng-runner-update-version",
  "mng-runner-restart",
];

describe("operations jobs", () => {
  test("of type noop touch nothing: no workspace, no log, no process", async () => {
    for (const type of ["noop", "noop-deploy"] as const) {
      const handler: Handler = registry[type];
      expect(await handler.execute(only({}))).toBeNull();
      expect(await handler.outputs?.(only({}))).toEqual({ values: {}, sensitive: [] });
      expect([handler.fetch, handler.validate, handler.initialize, handler.cleanup]).toEqual(Array(4).fill(undefined));
    }
  });

  test("of type health-check answer the age of each loop", async () => {
    const outputs = await registry["health-check"].outputs?.(only({ runner: control }));
    expect(outputs).toEqual({ values: { job_loops: { deploy: 5 } }, sensitive: [] });
  });

  test("of type shut-down stop the process in cleanup only, by force when asked", async () => {
    const seen: string[] = [];
    const runner = { ...control, shutdown: (how: string) => void seen.push(how) };
    const handler: Handler = registry["shut-down"];
    await handler.execute(only({}));
    expect(seen).toEqual([]);
    await handler.cleanup?.(only({ runner, job: job("shut-down", { shutdown_type: "force" }) }));
    await handler.cleanup?.(only({ runner, job: job("shut-down") }));
    expect(seen).toEqual(["force", "graceful"]);
  });
});

describe("a type of a later version", () => {
  for (const type of JOB_TYPES.filter((one) => !BUILT.includes(one))) {
    test(`is refused with its name: ${type}`, async () => {
      const handler: Handler = registry[type];
      await expect(handler.validate?.(only({ job: job(type), runner: control }))).rejects.toThrow(
        `job type ${type} is not built into this version`,
      );
    });
  }
});
