import { describe, expect, test } from "bun:test";
import { parseJobDocument } from "../../protocol/job-file-parse.ts";
import { deployPlan } from "../../protocol/nuon/plans.ts";
import { compileSubmission } from "./compile.ts";

const context = { now: 0, workspaceId: () => "w", exactWorkspace: () => "w", https: true };
const MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\n";

function compile(job: Record<string, unknown>) {
  const document = { type: "kubernetes-manifest-deploy", ...job };
  const parsed = parseJobDocument(document, "job");
  if (!parsed.ok) throw parsed.error;
  const sources = { "spec.source": { digest: `sha256:${"a".repeat(64)}`, path: "inner" } };
  const compiled = compileSubmission(parsed.value, { job: document, sources }, context);
  if (!compiled.ok) throw compiled.error;
  const plan = deployPlan.parse(JSON.parse(compiled.value.job.plan ?? "{}"));
  return { ...compiled.value, plan };
}

describe("a manifest job", () => {
  test("is a change whose plan job carries the manifest, with the defaults of the job file", () => {
    const { job, change, plan } = compile({ spec: { manifest: MANIFEST }, approval: "required" });
    expect([job.type, job.operation, job.group, job.native]).toEqual([
      "kubernetes-manifest-deploy",
      "create-apply-plan",
      "deploy",
      true,
    ]);
    expect(change).toMatchObject({ operation: "apply", approval: "required" });
    expect(plan.kubernetes_manifest).toMatchObject({
      manifest: MANIFEST,
      namespace: "default",
      cluster_info: null,
      runner_options: {
        set: "",
        prune: false,
        force_conflicts: false,
        wait_timeout: 300e9,
        propagation: "Foreground",
      },
    });
    expect(job.documents.app_config).not.toBeNull();
  });

  test("from a folder names the packed artifact and the place inside", () => {
    const { job, plan } = compile({
      operation: "destroy",
      spec: { source: { path: "./x" }, namespace: "n", set: "s", prune: true, wait: false, propagation: "orphan" },
    });
    expect(job.operation).toBe("create-teardown-plan");
    expect(job.sources).toEqual([`sha256:${"a".repeat(64)}`]);
    expect([plan.src_path, plan.kubernetes_manifest?.manifest]).toEqual(["inner", ""]);
    expect(plan.kubernetes_manifest?.runner_options).toMatchObject({
      set: "s",
      prune: true,
      wait_timeout: 0,
      propagation: "Orphan",
    });
  });

  test.each([
    [{}, "exactly one of manifest and source"],
    [{ manifest: MANIFEST, source: { path: "x" } }, "exactly one of manifest and source"],
    [{ manifest: MANIFEST, prune: true }, "prune needs a name"],
    [{ manifest: MANIFEST, wait: false, wait_timeout: "1m" }, "nothing is waited for"],
    [{ manifest: MANIFEST, namespace: "Not_A_Name" }, "lower case letters"],
    [{ manifest: MANIFEST, force: true }, "force"],
  ])("that cannot be meant is refused: %#", (spec, part) => {
    expect(() => compile({ spec })).toThrow(part);
  });
});
