import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  decide,
  type JobFacts,
  jobFacts,
  type Policy,
  readPolicy,
  withPlan,
} from "../../../internal/kit/policy/index.ts";
import { planResult as helmResult } from "../../../internal/runner/handlers/helm/saved-helm-plan.ts";
import { planResult as manifestResult } from "../../../internal/runner/handlers/manifest/saved-plan.ts";

/** The policy reads the plans of our own handlers: what these write, a rule must be able to see. */
const NOW = Date.parse("2026-11-20T10:00:00Z");
const diff = (namespace: string, types: readonly number[]) => ({
  _version: "2",
  name: "a",
  namespace,
  kind: "Secret",
  api: "v1",
  resource: "secrets",
  op: "",
  type: 0,
  error: "",
  entries: types.map((type) => ({ path: "", type, payload: "x: 1" })),
});
type Diff = ReturnType<typeof diff>;

const policyOf = (rule: string): Policy => {
  const read = readPolicy(
    `version: 1\ndefault: allow\nrules:\n  - { name: r, effect: deny, reason: no, when: { kubernetes: ${rule} } }\n`,
    "p",
  );
  if (!read.ok) throw read.error;
  return read.value;
};

const KINDS = [
  {
    type: "helm-chart-deploy",
    block: { helm: { name: "web", namespace: "team" } },
    result: (diffs: readonly Diff[], removes: boolean) =>
      helmResult({
        text: "",
        op: removes ? "uninstall" : "upgrade",
        diffs,
        binding: {
          render: "server",
          chart: "web-1",
          values_sha256: "",
          revision: 1,
          objects: { "ConfigMap/quiet/same": "sum", "hook Job.batch/hooks/migrate": "sum" },
          volatile: {},
        },
      }),
    unbound: () => helmResult({ text: "", op: "upgrade", diffs: [], binding: null }),
  },
  {
    type: "kubernetes-manifest-deploy",
    block: { kubernetes_manifest: { namespace: "team", manifest: "" } },
    result: (diffs: readonly Diff[], removes: boolean) =>
      manifestResult({
        op: removes ? "delete" : "apply",
        diffs,
        binding: {
          manifest_sha256: "",
          objects: {
            "/ConfigMap/quiet/same": { uid: "u", version: "1" },
            "batch/Job/hooks/migrate": { uid: "", version: null },
          },
          removals: [],
        },
      }),
    unbound: () => manifestResult({ op: "apply", diffs: [], binding: null }),
  },
];

describe.each(KINDS)("a plan of $type", ({ type, block, result, unbound }) => {
  const facts = (operation: string, more: object = {}): JobFacts =>
    jobFacts({ type, operation, plan: { ...block, ...more }, actionConfig: null, controlPlane: [] });
  const planned = (rule: string, diffs: readonly Diff[]) => {
    const { contents_compressed: contents, contents_display_compressed: display } = result(diffs, false);
    const known = withPlan(facts("create-apply-plan"), { contents: contents ?? "", display: display ?? "" });
    return decide(policyOf(rule), known, NOW, true).verdict;
  };

  test("is judged by namespace, kind and action when it is made", () => {
    expect(planned("{ namespaces: [kube-system] }", [diff("team", [3]), diff("kube-system", [3])])).toBe("deny");
    expect(planned("{ namespaces: [kube-system] }", [diff("team", [3])])).toBe("allow");
    expect(planned("{ kinds: [Secret], actions: [delete] }", [diff("team", [1, 1])])).toBe("deny");
    expect(planned("{ kinds: [Secret], actions: [delete] }", [diff("team", [1, 2])])).toBe("allow");
    expect(planned("{ actions: [create] }", [diff("team", [2, 2])])).toBe("deny");
    // Hooks and what stays as it is are no lines of the diff, but part of the job.
    expect(planned("{ namespaces: [hooks] }", [])).toBe("deny");
    expect(planned("{ namespaces: [quiet] }", [])).toBe("deny");
    expect(planned("{ namespaces: [quiet], actions: [create, update, delete] }", [])).toBe("allow");
  });

  test("is judged again before it is applied, and a removal is one whatever its lines say", () => {
    const apply = (rule: string, removes: boolean) => {
      const { contents_compressed: apply_plan_contents } = result([diff("team", [3])], removes);
      return decide(policyOf(rule), facts("apply-plan", { apply_plan_contents }), NOW, true);
    };
    expect(apply("{ actions: [delete] }", true).verdict).toBe("deny");
    expect(apply("{ actions: [delete] }", false).verdict).toBe("allow");
    expect(facts("apply-plan", { apply_plan_contents: result([], true).contents_compressed }).operation).toBe(
      "destroy",
    );
  });

  test("that its apply is not held to, or that cannot be read, is refused where a rule depends on it", () => {
    const loose = facts("apply-plan", { apply_plan_contents: unbound().contents_compressed });
    expect(decide(policyOf("{ namespaces: [kube-system] }"), loose, NOW, true).verdict).toBe("deny");
    const broken = facts("apply-plan", { apply_plan_contents: "AAAA" });
    expect(decide(policyOf("{ namespaces: [kube-system] }"), broken, NOW, true).verdict).toBe("deny");
  });
});

describe("the policy of the examples", () => {
  test("says what its files say it says", async () => {
    const folder = join(import.meta.dir, "../../../examples/policy");
    const read = readPolicy(readFileSync(join(folder, "policy.yaml"), "utf8"), "policy.yaml");
    if (!read.ok) throw read.error;
    const script = (language: string) =>
      decide(
        read.value,
        jobFacts({
          type: "script",
          operation: "exec",
          plan: { language, code: "x" },
          actionConfig: null,
          controlPlane: [],
        }),
        NOW,
      );
    expect(script("node")).toMatchObject({ verdict: "allow", rule: "scripts" });
    expect(script("shell")).toMatchObject({ verdict: "deny", rule: "default" });
  });
});
