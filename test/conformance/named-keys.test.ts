import { describe, expect, test } from "bun:test";
import { helmReleaseRow } from "../../internal/protocol/nuon/helm.ts";
import { NUON } from "../../internal/runner/controlplane/nuon/operations.ts";
import { createComparison } from "./compare-schema.ts";
import { OPERATION_NAMES, OPERATIONS, type Operation, PLANS } from "./operations.ts";
import { apiDocument, type DocOperation, type DocSchema } from "./recordings.ts";

const document = await apiDocument();
const { schemas } = document.components;
const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([, operation]) => operation.operationId !== undefined)
    .map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })),
);

/** Keys that only we send; a Nuon server ignores them, and ours tolerates their absence (DESIGN sections 3 and 5). */
const OURS = [
  "plantypes.TerraformDeployPlan.tool",
  "plantypes.TerraformDeployPlan.stack",
  "plantypes.TerraformDeployPlan.destroy",
  "plantypes.DeployPlan.src_path",
  "plantypes.DeployPlan.src_git",
  "plantypes.ActionWorkflowRunStepPlan.source",
  "plantypes.DeployPlan.kubernetes_job",
  "plantypes.HelmDeployPlan.runner_options",
  "plantypes.HelmValue.literal",
  "plantypes.KubernetesManifestDeployPlan.runner_options",
  "kube.ClusterInfo.gcp_auth",
  "plantypes.GitSource.known_hosts",
  "terraform.LockInfo.runner_id",
  "terraform.LockInfo.job_id",
  "terraform.LockInfo.execution_id",
  "terraform.LockInfo.locked_at",
];
/** Keys of newer servers (nuon-handlers.md 15). */
const NEWER = [
  // Seen in the recordings of the Go runner.
  "helm.Release.apply_method",
  "plantypes.KubernetesManifestDeployPlan.oci_artifact",
  "plantypes.BuildPlan.kubernetes_manifest_build_plan",
];
/** Words beyond the document's: groups and types of our own, and one of newer servers. */
const OUR_WORDS = [
  "app.RunnerJobGroup.scripts",
  "app.RunnerJobGroup.containers",
  "app.RunnerJobGroup.plugins",
  "app.RunnerJobType.script",
  "app.RunnerJobType.container",
  "app.RunnerJobType.kubernetes-manifest-build",
  "configs.OCIRegistryType.",
];

const { compare, found } = createComparison(schemas);
for (const operation of documented) compareOperation(operation);
for (const [name, schema] of Object.entries(PLANS)) compare({ $ref: name }, schema, name);
compare({ $ref: "app.HelmRelease" }, helmReleaseRow, "CreateHelmRelease 201");

function compareOperation(doc: DocOperation): void {
  const ours: Operation | undefined = OPERATIONS[doc.operationId as keyof typeof OPERATIONS];
  if (ours === undefined) return;
  const request = doc.requestBody?.content["application/json"]?.schema;
  if (request && ours.request) compare(request, ours.request, `${doc.operationId} request`);
  for (const [status, answer] of Object.entries(ours.answers)) {
    const content = doc.responses[status]?.content ?? {};
    const schema: DocSchema | undefined = (content["application/json"] ?? content["text/plain"])?.schema;
    if (schema && typeof answer !== "function") compare(schema, answer, `${doc.operationId} ${status}`);
  }
}

describe("the document of the runner API", () => {
  test("has no operation that our table does not have, with the same route, query and success status", () => {
    const theirs = documented.map(({ operationId, method, path, parameters = [], responses }) => ({
      operationId,
      method,
      path,
      query: parameters.filter((one) => one.in === "query").map((one) => one.name ?? ""),
      success: Object.keys(responses).includes("201") ? 201 : 200,
    }));
    const ours = OPERATION_NAMES.map((name) => {
      const { method, path, query = [], answers }: Operation = OPERATIONS[name];
      return {
        operationId: String(name),
        method,
        path,
        query: [...query],
        success: Math.min(...Object.keys(answers).map(Number)),
      };
    });
    expect(ours).toHaveLength(45);
    expect(sorted(ours)).toEqual(sorted(theirs));
  });

  test("has no field, kind of value or word that our schemas do not name", () => {
    expect(found.problems).toEqual([]);
  });

  test("lacks no key or word of ours but those listed as added by us and by newer servers", () => {
    const listed = new Set([...OURS, ...NEWER, ...OUR_WORDS]);
    expect([...found.added, ...found.words].filter((one) => !listed.has(one))).toEqual([]);
  });

  test("was compared whole: every schema an operation reaches was come through", () => {
    expect([...reachable()].filter((name) => !found.reached.has(name))).toEqual([]);
    expect(found.reached.size).toBeGreaterThan(150);
  });
});

test("the runner's table of operations has the same routes under the same names", () => {
  const routes = (table: Readonly<Record<string, { readonly method: string; readonly path: string }>>) =>
    Object.fromEntries(Object.entries(table).map(([name, { method, path }]) => [name, `${method} ${path}`]));
  expect(routes(NUON)).toEqual(routes(OPERATIONS));
});

/** Schemas that bodies of the operations hold, however deep; the answers of errors have their own test. */
function reachable(): Set<string> {
  const names = new Set<string>();
  const walk = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    for (const [key, inner] of Object.entries(value)) {
      if (key !== "$ref") walk(inner);
      else if (typeof inner === "string" && inner.startsWith("#/components/schemas/")) {
        const name = inner.slice("#/components/schemas/".length);
        if (names.has(name)) continue;
        names.add(name);
        walk(schemas[name]);
      }
    }
  };
  for (const { requestBody, responses } of documented) {
    walk(requestBody);
    for (const [status, answer] of Object.entries(responses)) if (status < "300") walk(answer);
  }
  return names;
}

const sorted = <T extends { readonly operationId: string }>(list: readonly T[]) =>
  [...list].sort((a, b) => (a.operationId < b.operationId ? -1 : 1));
