import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { JobType } from "../../protocol/enums.ts";
import { type PlanOutcome, readPlanOutcome } from "./plan-outcome.ts";

const line = (type: number, payload: string) => ({ payload, type });
const helm = (plan: object) => outcome("helm-chart-deploy", plan);
const manifest = (plan: object) => outcome("kubernetes-manifest-deploy", plan);

function outcome(type: JobType, plan: object | string): Partial<PlanOutcome> & { readonly error?: string } {
  const packed = gzipSync(typeof plan === "string" ? plan : JSON.stringify(plan)).toString("base64url");
  const read = readPlanOutcome(type, JSON.stringify({ success: true, contents_compressed: packed }));
  if (!read.ok) return { error: read.error.message };
  expect(read.value.contents).toBe(Buffer.from(packed, "base64url").toString("base64"));
  return read.value;
}

describe("the plan of a helm job", () => {
  const web = { _version: "2", name: "web", namespace: "shop", kind: "Deployment", api: "apps", type: 0 };

  test("shows what changes with a few lines around it", () => {
    const same = Array.from({ length: 9 }, (_, n) => line(0, `line${n}: ${n}`));
    const entries = [...same, line(1, "replicas: 1"), line(2, "replicas: 2"), ...same];
    expect(helm({ plan: "", op: "upgrade", helm_content_diff: [{ ...web, entries }] })).toMatchObject({
      empty: false,
      diff: `~ Deployment shop/web (apps) will be changed
      line6: 6
      line7: 7
      line8: 8
    - replicas: 1
    + replicas: 2
      line0: 0
      line1: 1
      line2: 2

Plan: 0 to add, 1 to change, 0 to remove.
`,
      drift: { drifted: true, summary: "the cluster differs; Plan: 0 to add, 1 to change, 0 to remove." },
    });
  });

  test("is empty when an upgrade has no differences, in every form a runner writes that", () => {
    for (const diffs of [{ helm_content_diff: [] }, { helm_content_diff: null }, {}]) {
      expect(helm({ plan: "no changes", op: "upgrade", ...diffs })).toMatchObject({ empty: true });
    }
  });

  test("is never empty for a first install: a runner whose comparison failed lists no differences either", () => {
    expect(helm({ plan: "no changes", op: "install", helm_content_diff: [] })).toMatchObject({ empty: false });
    expect(helm({ plan: "no changes" })).toMatchObject({ empty: false });
  });

  test("keeps values of Secrets out of what people read", () => {
    const secret = { ...web, kind: "Secret", api: "v1" };
    const entries = [
      line(0, "apiVersion: v1"),
      line(0, "data:"),
      line(1, "  password: aHVudGVyMg=="),
      line(2, "  password: |"),
      line(2, "    hunter3:"),
      line(0, "metadata:"),
      line(0, "  annotations:"),
      line(0, "    kubectl.kubernetes.io/last-applied-configuration: |"),
      line(0, '      {"data":{"password":"aHVudGVyMg=="}}'),
      line(0, "  name: web"),
    ];
    const read = helm({ plan: "", op: "upgrade", helm_content_diff: [{ ...secret, entries }] });
    expect(read).toMatchObject({ empty: false });
    const text = JSON.stringify(read.diff);
    expect(text).not.toMatch(/hunter|aHVudGVy/);
    expect(text).toContain("-   password: [redacted]");
    expect(text).toContain("annotations:");
  });
});

describe("the plan of a manifest job", () => {
  const map = { _version: "2", name: "a", namespace: "shop", kind: "ConfigMap", api: "/v1", resource: "configmaps" };

  test("is empty when every resource says unchanged", () => {
    const same = { ...map, op: "apply", type: 0, entries: [] };
    expect(manifest({ plan: "", op: "apply" })).toMatchObject({ empty: true });
    expect(manifest({ plan: "", op: "apply", k8s_content_diff: [same] })).toMatchObject({
      empty: true,
      diff: "No changes. The cluster matches.\n",
    });
  });

  test("is not empty when a resource could not be compared, and says why", () => {
    const failed = { ...map, op: "apply", type: 4, error: "forbidden", entries: [] };
    const read = manifest({ plan: "", op: "apply", k8s_content_diff: [failed] });
    expect(read).toMatchObject({ empty: false });
    expect(read.diff).toContain("! ConfigMap shop/a (v1) cannot be compared\n    forbidden");
    expect(read.diff).toContain("1 that cannot be compared");
  });

  test("hides a Secret that a Go runner sends in clear, also as structural entries", () => {
    const secret = { ...map, kind: "Secret", op: "apply", type: 3 };
    const entries = [
      { path: "", type: 3, payload: '{"data":{"password":"aHVudGVyMg=="}}' },
      { path: "data", type: 1, payload: "password: aHVudGVyMg==" },
      { path: "stringData.password", original: "hunter2", applied: "hunter3", type: 3 },
    ];
    const read = manifest({ plan: "", op: "apply", k8s_content_diff: [{ ...secret, entries }] });
    expect(read.diff).not.toMatch(/hunter|aHVudGVy/);
    expect(read.diff).toContain("- password: [redacted]");
  });
});

test("a plan that nobody can read fails its change: the apply job could not read it either", () => {
  expect(outcome("helm-chart-deploy", "nonsense")).toMatchObject({ error: expect.stringContaining("cannot be read") });
  expect(outcome("kubernetes-manifest-deploy", "[]")).toEqual({ error: "the saved plan has another form" });
});
