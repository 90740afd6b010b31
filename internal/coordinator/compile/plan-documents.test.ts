import { describe, expect, test } from "bun:test";
import { planDocuments } from "./plan-documents.ts";

const context = { now: "2026-11-22T01:00:00.000Z", timeoutMs: 60_000 };
const ACTION = {
  id: "iartest0000000000000000001",
  install_id: "inl1",
  attrs: { "action.id": "acw1", "action.name": "rotate" },
  steps: [
    {
      run_id: "ias1",
      attrs: { "step.id": "acs1", "step.name": "greet" },
      interpolated_env_vars: { A: "b" },
      git_source: { url: "", ref: "", path: "", recurse_submodules: false },
      interpolated_inline_contents: "#!/bin/sh\ntrue\n",
      interpolated_command: "",
    },
  ],
};
const DEPLOY = { app_id: "app1", app_config_id: "apc1", component_id: "cmp1", src_registry: null };
const REGISTRY = { Repository: "org/builds", LoginServer: "https://registry.example.test" };

describe("an exact plan of a job file", () => {
  test("of an action has the run and the config that runners read, their steps joined by the plan's ids", () => {
    const { documents, native } = planDocuments("actions-workflow", ACTION, context);
    expect(native).toBe(false);
    expect(documents.action_run).toMatchObject({
      id: ACTION.id,
      install_id: "inl1",
      action_workflow_config_id: "acctest0000000000000000001",
      steps: [{ id: "ias1", step_id: "acs1", status: "pending" }],
    });
    expect(documents.action_config).toMatchObject({
      id: "acctest0000000000000000001",
      action_workflow_id: "acw1",
      timeout: 60_000_000_000,
      steps: [{ id: "acs1", name: "greet", idx: 0, inline_contents: "#!/bin/sh\ntrue\n", env_vars: { A: "b" } }],
    });
  });

  test("of a deploy has the app config in which its component is of the plan's kind", () => {
    const manifest = { ...DEPLOY, kubernetes_manifest: { namespace: "web", manifest: "kind: X" } };
    const made = planDocuments("kubernetes-manifest-deploy", manifest, context);
    expect(made.native).toBe(false);
    expect(made.documents.app_config).toMatchObject({
      id: "apc1",
      app_id: "app1",
      component_config_connections: [{ component_id: "cmp1", kubernetes_manifest: { namespace: "web" } }],
    });
    const helm = { ...DEPLOY, src_registry: REGISTRY, src_tag: "bld1", helm: { name: "demo", namespace: "web" } };
    expect(planDocuments("helm-chart-deploy", helm, context)).toMatchObject({
      native: false,
      documents: { app_config: { component_config_connections: [{ helm: { chart_name: "demo" } }] } },
    });
  });

  const [step] = ACTION.steps;
  const ours: readonly (readonly [string, Parameters<typeof planDocuments>[0], object])[] = [
    ["an action without ids", "actions-workflow", { ...ACTION, id: "" }],
    ["an action without steps", "actions-workflow", { ...ACTION, steps: [] }],
    [
      "an action with quotes in a command",
      "actions-workflow",
      { ...ACTION, steps: [{ ...step, interpolated_inline_contents: "", interpolated_command: `echo "a b"` }] },
    ],
    ["terraform, whose version the plan does not tell", "terraform-deploy", { ...DEPLOY, terraform: { vars: {} } }],
    ["a sandbox, likewise", "sandbox-terraform", { app_id: "app1", app_config_id: "apc1" }],
    ["a chart without an artifact", "helm-chart-deploy", { ...DEPLOY, helm: { name: "demo" } }],
    ["a deploy without an app config", "kubernetes-manifest-deploy", { kubernetes_manifest: { manifest: "x" } }],
    [
      "a manifest with wishes that only ours knows",
      "kubernetes-manifest-deploy",
      { ...DEPLOY, kubernetes_manifest: { manifest: "x", runner_options: { prune: true } } },
    ],
  ];
  test.each(ours)("%s is left to runners of ours", (_, type, plan) => {
    expect(planDocuments(type, plan, context).native).toBe(true);
  });

  test("of a type that reads nothing besides is for any runner", () => {
    expect(planDocuments("oci-sync", { src_tag: "x" }, context).native).toBe(false);
    expect(planDocuments("noop", null, context).native).toBe(false);
  });
});
