import { expect, test } from "bun:test";
import { helmSpec } from "../../protocol/job-specs/helm.ts";
import type { Submission } from "../../protocol/operator.ts";
import { compileHelm } from "./helm.ts";

const CONTEXT = { name: "web", now: "2026-01-01T00:00:00Z", operation: "apply" } as const;
const SOURCE = { oci: { ref: "registry.test/charts/web:1.0.0" } };

function compiled(spec: object, submission: Partial<Submission> = {}) {
  const parsed = helmSpec.parse({ source: SOURCE, release: "web", ...spec });
  const made = compileHelm(parsed, { job: {}, ...submission }, CONTEXT);
  if (!made.ok) throw made.error;
  return made.value;
}

test("values files travel in Nuon's order, where the earlier one wins, below the values in place", () => {
  const { plan } = compiled({ values_files: ["a.yaml", "b.yaml"], values: { x: 1 } }, { vars_files: ["a: 1", "b: 1"] });
  expect(plan.helm?.values_files).toEqual(['{"x":1}', "b: 1", "a: 1"]);
});

test("single values keep their type and are literal: commas and braces mean nothing", () => {
  const { plan } = compiled({ set: { text: "{a,b}", number: 12, yes: true } });
  expect(plan.helm?.values).toEqual([
    { name: "text", value: "{a,b}", type: "string", literal: true },
    { name: "number", value: "12", type: "auto", literal: true },
    { name: "yes", value: "true", type: "auto", literal: true },
  ]);
});

test("a secret that nobody resolved and a file whose content is missing are refused by name", () => {
  expect(() => compiled({ set: { "db.password": { env: "P" } } })).toThrow("spec.set.db.password");
  expect(() => compiled({ values_files: ["a.yaml"] })).toThrow("spec.values_files names 1");
});

test("releases of one name belong together at the control plane, and those of other namespaces and clusters do not", () => {
  const store = (spec: object, runner?: string) =>
    compiled({ storage: "nuon", ...spec }, runner === undefined ? {} : { runner }).plan.helm?.helm_chart_id;
  const kubeconfig = (server: string, token: string) => ({
    cluster: { kubeconfig: `clusters: [{cluster: {server: ${server}}}]\ntoken: ${token}` },
  });
  expect(store({})).toMatch(/^hmc[0-9a-f]{23}$/);
  expect(store({})).toBe(store({ values: { x: 1 } }));
  expect(store(kubeconfig("https://a", "1"))).toBe(store(kubeconfig("https://a", "2")));
  const others = [
    store({}),
    store({ namespace: "b" }),
    store({}, "run1"),
    store(kubeconfig("https://a", "1")),
    store(kubeconfig("https://b", "1")),
  ];
  expect(new Set(others).size).toBe(others.length);
  expect(compiled({}).plan.helm?.helm_chart_id).toBe("");
});
