import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type KubeNode, nodeMissing, startNode } from "../../bed/node/node.ts";
import { folderOf } from "../../lib/handler-harness.ts";
import { configMap, decodePlan, definition, deployment, manifestBed, object } from "./manifest-bed.ts";

const missing = nodeMissing();
const skip = missing !== null && process.env.CI !== "true";

describe.skipIf(skip)("a manifest on a real cluster", () => {
  let node: KubeNode;
  let bed: ReturnType<typeof manifestBed>;
  beforeAll(async () => {
    node = await startNode();
    bed = manifestBed(node);
  }, 120_000);
  afterAll(async () => {
    bed?.dispose();
    await node?.end();
  }, 60_000);

  test("a plan says what the cluster would make of it, changes nothing, and is the same every time", async () => {
    const manifest = configMap("b", { x: "1" }) + configMap("a", { x: "1" });
    const first = await bed.planned(manifest);
    const second = await bed.planned(manifest);
    expect(first.contents).toBe(second.contents);
    expect(await bed.exists("configmap", "a")).toBe(false);
    expect(first.outputs).toEqual({});
    const { plan } = first;
    expect(plan?.op).toBe("apply");
    expect(
      plan?.k8s_content_diff?.map((one) => [one.type, one.kind, one.namespace, one.name, one.api, one.resource]),
    ).toEqual([
      [2, "ConfigMap", "default", "a", "/v1", "configmaps"],
      [2, "ConfigMap", "default", "b", "/v1", "configmaps"],
    ]);
    const [diff] = plan?.k8s_content_diff ?? [];
    expect([diff?._version, diff?.op, diff?.dry_run]).toEqual(["2", "apply", true]);
    expect(diff?.entries?.map(({ type, payload }) => [type, payload])).toEqual([
      [2, undefined],
      [2, "apiVersion: v1"],
      [2, "kind: ConfigMap"],
      [2, "metadata:"],
      [2, "  name: a"],
      [2, "data:"],
      [2, '  x: "1"'],
    ]);
    expect(JSON.parse(plan?.plan ?? "")).toEqual({ k8s_content_diff: plan?.k8s_content_diff });
    expect(first.log).toContain("Plan: 2 to add, 0 to change, 0 to remove.");
  });

  test("an apply makes it, a second plan finds nothing to do, a change is shown line by line", async () => {
    const { plan, end } = await bed.change(configMap("c1", { x: "1", y: "a\nb\n" }));
    expect(end.outputs).toEqual({ diff: plan.plan?.k8s_content_diff });
    expect(decodePlan(end.result?.contents_compressed ?? "")).toEqual(plan.plan as never);
    expect(end.result?.contents_display_compressed).toBe(end.result?.contents_compressed as string);
    const same = await bed.planned(configMap("c1", { x: "1", y: "a\nb\n" }));
    expect(same.plan).not.toHaveProperty("k8s_content_diff");
    expect(same.log).toContain("No changes");
    const changed = await bed.planned(configMap("c1", { x: "2", y: "a\nc\n" }));
    expect(changed.plan?.k8s_content_diff?.map(({ type }) => type)).toEqual([3]);
    expect(changed.plan?.k8s_content_diff?.[0]?.entries).toEqual([
      { path: "data", type: 0, payload: "data:" },
      { path: "data", type: 1, payload: '  x: "1"' },
      { path: "data", type: 2, payload: '  x: "2"' },
      { path: "data", type: 0, payload: '  "y": |' },
      { path: "data", type: 0, payload: "    a" },
      { path: "data", type: 1, payload: "    b" },
      { path: "data", type: 2, payload: "    c" },
    ]);
    expect(changed.log).toContain("~ ConfigMap default/c1: data.x 1 → 2, data.y a b → a c");
  });

  test("fields a manifest drops are removed, and our name stands on what is ours", async () => {
    await bed.change(configMap("c2", { x: "1", y: "2" }));
    await bed.change(configMap("c2", { x: "1" }));
    const live = await bed.live("configmap", "c2");
    expect(live.data).toEqual({ x: "1" });
    expect(JSON.stringify(live.metadata)).toContain('"manager":"runner","operation":"Apply"');
  });

  test("a namespace, a definition and their objects in one manifest, in the wrong order, are planned and applied", async () => {
    const manifest =
      object({
        apiVersion: "example.test/v1",
        kind: "Widget",
        metadata: { name: "w", namespace: "fresh" },
        spec: { size: 3 },
      }) +
      configMap("in-it", { a: "b" }, { namespace: "fresh" }) +
      definition("widgets", "Widget") +
      object({ apiVersion: "v1", kind: "Namespace", metadata: { name: "fresh" } });
    const { plan } = await bed.change(manifest);
    expect(plan.plan?.k8s_content_diff?.map(({ kind, note }) => [kind, note ?? ""])).toEqual([
      ["CustomResourceDefinition", ""],
      ["Namespace", ""],
      ["ConfigMap", "cannot be checked before its namespace exists"],
      ["Widget", "cannot be checked before its definition exists"],
    ]);
    expect((await bed.live("widget", "w", "fresh")).spec).toEqual({ size: 3 });
    const down = await bed.planned(manifest, { operation: "create-teardown-plan" });
    expect(down.plan?.op).toBe("delete");
    expect(down.plan?.k8s_content_diff?.map(({ type, op }) => [type, op])).toEqual(Array(4).fill([1, "delete"]));
    expect(JSON.parse(down.plan?.plan ?? "")).toEqual({ diff: down.plan?.k8s_content_diff });
    const end = await bed.applied(manifest, down.contents, { options: { wait: 60_000 } });
    expect(end.reason).toBe("");
    expect(await bed.exists("namespace", "fresh")).toBe(false);
    expect(await bed.exists("crd", "widgets.example.test")).toBe(false);
    // Once more: everything is gone, and that is fine.
    const nothing = await bed.planned(manifest, { operation: "create-teardown-plan" });
    expect([nothing.status, nothing.plan?.k8s_content_diff ?? []]).toEqual(["finished", []]);
    expect((await bed.applied(manifest, nothing.contents)).status).toBe("finished");
  }, 90_000);

  test("values of Secrets are neither in plan, result, outputs nor log, and a change of them is still seen", async () => {
    const secret = (value: string) =>
      object({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s1" },
        stringData: { password: value },
        data: { other: Buffer.from("canary-other").toString("base64") },
      });
    const { plan, end } = await bed.change(secret("canary-one"));
    const changed = await bed.planned(secret("canary-two"));
    expect(changed.plan?.k8s_content_diff?.map(({ type }) => type)).toEqual([3]);
    const said = JSON.stringify([plan.plan, end.result, end.outputs, plan.log, end.log, changed.plan, changed.log]);
    for (const value of ["canary-one", "canary-two", "canary-other"]) {
      expect(said).not.toContain(value);
      expect(said).not.toContain(Buffer.from(value).toString("base64"));
    }
    expect(changed.harness.secrets).toContain("canary-one");
    expect(changed.harness.secrets).toContain("canary-two");
  });

  test("a wait ends when everything is ready, with a line for what is missing", async () => {
    const manifest =
      deployment("w1", { replicas: 2 }) +
      object({
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { name: "j1" },
        spec: {
          template: {
            spec: {
              restartPolicy: "Never",
              containers: [{ name: "main", image: "localhost/bb:1", imagePullPolicy: "Never", command: ["true"] }],
            },
          },
        },
      });
    const { end } = await bed.change(manifest, { options: { wait: 60_000 } });
    expect(end.harness.steps.map(({ name, status }) => [name, status])).toEqual([
      ["apply", "finished"],
      ["wait", "finished"],
    ]);
    expect((await bed.live("deployment", "w1")).status).toMatchObject({ availableReplicas: 2 });
    expect((await bed.live("job", "j1")).status).toMatchObject({ succeeded: 1 });
    expect(end.log).toContain("Deployment default/w1: ready");
  }, 90_000);

  test("prune removes what the last apply of the set made, and nothing else", async () => {
    const options = { set: "web", prune: true };
    await bed.change(configMap("p1", { a: "1" }) + configMap("p2", { a: "1" }), { options });
    await bed.change(configMap("p3", { a: "1" }), { options: { set: "other", prune: true } });
    const manifest = configMap("p1", { a: "1" });
    const plan = await bed.planned(manifest, { options });
    expect(plan.plan?.k8s_content_diff?.map(({ type, name, op }) => [type, name, op])).toEqual([[1, "p2", "delete"]]);
    expect(plan.log).toContain("- ConfigMap default/p2");
    expect((await bed.applied(manifest, plan.contents, { options })).reason).toBe("");
    expect(await Promise.all(["p1", "p2", "p3"].map((name) => bed.exists("configmap", name)))).toEqual([
      true,
      false,
      true,
    ]);
    // What somebody else has made under the old name since is not ours to remove.
    await node.kubectl(["create", "configmap", "p2", "--from-literal=theirs=1"]);
    expect((await bed.planned(manifest, { options })).plan).not.toHaveProperty("k8s_content_diff");
    const down = await bed.planned(manifest, { operation: "create-teardown-plan", options });
    expect(down.plan?.k8s_content_diff?.map(({ name }) => name)).toEqual(["p1", "runner-set-web"]);
    expect((await bed.applied(manifest, down.contents, { options })).reason).toBe("");
    expect(await bed.exists("configmap", "runner-set-web")).toBe(false);
    expect(await bed.exists("configmap", "p2")).toBe(true);
  });

  test("hundreds of objects are planned, applied with a line for each, found unchanged, and pruned as a set", async () => {
    const options = { set: "many", prune: true, wait: 60_000 };
    const names = Array.from({ length: 300 }, (_, n) => `many-${n}`);
    const all = names.map((name) => configMap(name, { a: name }));
    const { plan, end } = await bed.change(all.join(""), { options });
    expect(plan.plan?.k8s_content_diff).toHaveLength(300);
    const created = (await node.kubectl(["get", "configmaps", "-o", "name"])).split("\n");
    expect(names.filter((name) => !created.includes(`configmap/${name}`))).toEqual([]);
    const told = end.log.split("\n");
    expect(names.filter((name) => !told.includes(`ConfigMap default/${name}: created`))).toEqual([]);
    const same = await bed.planned(all.join(""), { options });
    expect(same.plan).not.toHaveProperty("k8s_content_diff");
    expect(same.log.trim().split("\n")).toHaveLength(1);
    await bed.change(all.slice(0, 1).join(""), { options });
    expect((await node.kubectl(["get", "configmaps", "-o", "name"])).match(/many-\d+/g)).toEqual(["many-0"]);
  }, 240_000);

  test("what a Go runner applied is taken over: no conflict, and its dropped fields go", async () => {
    const theirs = configMap("go", { x: "1", y: "2" });
    await node.kubectl(["apply", "--server-side", "--field-manager=kube-apply", "-f", "-"], theirs.split("\n")[0]);
    const plan = await bed.planned(configMap("go", { x: "3" }));
    expect(plan.reason).toBe("");
    expect(plan.log).toContain("data.x 1 → 3, data.y 2 → (none)");
    expect((await bed.applied(configMap("go", { x: "3" }), plan.contents)).reason).toBe("");
    const live = await bed.live("configmap", "go");
    expect(live.data).toEqual({ x: "3" });
    expect(JSON.stringify(live.metadata)).not.toContain("kube-apply");
  });

  test("a plan of a Nuon server works as it is: no options, an empty namespace, its removal waited for", async () => {
    const nuon = { block: { namespace: "", oci_artifact: null } };
    const manifest = configMap("nuon", { a: "1" });
    const { end } = await bed.change(manifest, nuon);
    expect(end.harness.steps.map(({ name }) => name)).toEqual(["apply"]);
    const down = await bed.planned(manifest, { ...nuon, operation: "create-teardown-plan" });
    expect((await bed.applied(manifest, down.contents, nuon)).reason).toBe("");
    expect(await bed.exists("configmap", "nuon")).toBe(false);
  });

  test("an artifact in place of the manifest (Nuon's newer form) is pulled and read", async () => {
    const folder = folderOf({ "manifest.yaml": configMap("packed", { a: "1" }) });
    const registry = { Repository: "builds", LoginServer: "registry.test", RegistryType: "public_oci" };
    const packed = {
      block: { namespace: "default", oci_artifact: { url: "registry.test/builds", tag: "dpl1", digest: "" } },
      plan: { src_registry: registry, src_tag: "dpl1" },
      sources: { dpl1: folder },
    };
    await bed.change("", packed);
    expect((await bed.live("configmap", "packed")).data).toEqual({ a: "1" });
    const none = await bed.planned("", { block: { namespace: "" } });
    expect(none.reason).toContain("its manifest is empty");
    const odd = await bed.planned("", { ...packed, plan: { ...packed.plan, src_path: "../etc" } });
    expect(odd.reason).toContain("leads out of its source");
  });

  test("every kind that is applied is found unchanged by the next plan, and a plan draws nothing by lot", async () => {
    const manifest = KINDS.map(object).join("") + deployment("kinds");
    const [first, second] = [await bed.planned(manifest), await bed.planned(manifest)];
    expect(first.reason).toBe("");
    expect(first.contents).toBe(second.contents);
    await bed.change(manifest);
    expect((await bed.planned(manifest)).plan).not.toHaveProperty("k8s_content_diff");
  });
});

const pod = {
  restartPolicy: "Never",
  containers: [{ name: "main", image: "localhost/bb:1", imagePullPolicy: "Never" }],
};
const rbac = "rbac.authorization.k8s.io";
const KINDS: readonly unknown[] = [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kinds" },
    spec: { type: "NodePort", selector: { a: "b" }, ports: [{ port: 80 }] },
  },
  { apiVersion: "batch/v1", kind: "Job", metadata: { name: "kinds" }, spec: { template: { spec: pod } } },
  {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "kinds" },
    spec: { schedule: "0 0 1 1 *", jobTemplate: { spec: { template: { spec: pod } } } },
  },
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "kinds" } },
  {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "kinds" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "kinds" },
    spec: { defaultBackend: { service: { name: "kinds", port: { number: 80 } } } },
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: "Role",
    metadata: { name: "kinds" },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: "RoleBinding",
    metadata: { name: "kinds" },
    subjects: [{ kind: "User", name: "someone" }],
    roleRef: { apiGroup: rbac, kind: "Role", name: "kinds" },
  },
  {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "kinds" },
    spec: { maxReplicas: 1, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "kinds" } },
  },
];
