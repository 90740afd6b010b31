import { expect, test } from "bun:test";
import type { DeployPlan } from "../../protocol/nuon/plans.ts";
import type { JobContext } from "../handler.ts";
import { registry } from "./registry.ts";

/** A context of a job while the settings have sandbox mode on, or not. */
function context(plan: DeployPlan, sandbox_mode: boolean): JobContext<DeployPlan> {
  const parts: Partial<JobContext<DeployPlan>> = {
    plan,
    job: { id: "j", created_by_id: "t", type: "oci-sync", operation: "apply-plan" },
    runner: {
      version: "1",
      settings: () => ({ sandbox_mode }),
      checkLoops: () => ({}),
      shutdown: () => {},
      freshSettings: async () => null,
    },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  };
  return parts as JobContext<DeployPlan>;
}

const handler = registry["oci-sync"];
const gunzip = (text: string | null | undefined) =>
  Buffer.from(Bun.gunzipSync(Buffer.from(text ?? "", "base64url"))).toString();

test("in sandbox mode a type of a later version reports what its plan makes up, without `success`", async () => {
  const plan: DeployPlan = {
    sandbox_mode: {
      enabled: true,
      outputs: { a: 1 },
      helm: { plan_contents: '{"plan":"x"}', plan_display_contents: '{"op":"install"}' },
    },
  };
  const ctx = context(plan, true);
  await handler.validate?.(ctx);
  const result = await handler.execute(ctx);
  expect(Object.keys(result ?? {})).toEqual(["contents_compressed", "contents_display_compressed"]);
  expect(gunzip(result?.contents_compressed)).toBe('{"plan":"x"}');
  expect(gunzip(result?.contents_display_compressed)).toBe('{"op":"install"}');
  expect(await handler.outputs?.(ctx)).toEqual({ values: { a: 1 }, sensitive: [] });
});

test("without sandbox mode it is refused, whatever its plan makes up", async () => {
  const ctx = context({ sandbox_mode: { enabled: true, outputs: { a: 1 } } }, false);
  await expect(handler.validate?.(ctx)).rejects.toThrow("job type oci-sync is not built into this version");
});
