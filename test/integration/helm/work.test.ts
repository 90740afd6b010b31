import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { dirname, join } from "node:path";
import { pullArtifact } from "../../../internal/kit/oci/index.ts";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { startRegistry } from "../../bed/registry.ts";
import { change, chartOf, HELMS, helmJob, memoryReleases, planOf, skip } from "./bed.ts";

setDefaultTimeout(120_000);
const CANARY = "hunter2canary";
const HIDDEN = Buffer.from(CANARY).toString("base64");

let node: KubeNode;
beforeAll(async () => {
  if (!skip) node = await startNode();
});
afterAll(() => node?.end());

describe.skipIf(skip).each([...HELMS])("a release by %s", (helm) => {
  const space = `work-${helm}`;
  const get = (...args: string[]) => node.kubectl(["-n", space, "get", ...args]);
  const wanted = (release: string, chart: string) => ({ helm, release, chart, namespace: space });

  test("is planned, installed, found unchanged, found drifted, upgraded and uninstalled", async () => {
    const at = wanted("life", chartOf());
    const made = await change(node, at);
    expect([made.apply.status, made.apply.reason]).toEqual(["finished", ""]);
    expect(planOf(made.plan)).toMatchObject({ op: "install" });
    expect(planOf(made.plan).plan).toContain("Plan: 3 to add, 0 to change, 0 to destroy, 0 to change ownership.");
    expect(await get("deploy", "life", "-o", "jsonpath={.status.readyReplicas}")).toBe("1");

    const same = planOf(await helmJob(node, at).run());
    expect(same).toMatchObject({ plan: "no changes", op: "upgrade", helm_content_diff: [] });

    await node.kubectl(["-n", space, "patch", "cm", "life-map", "-p", '{"data":{"greeting":"by hand"}}']);
    if (helm === "helm4") {
      // Its server-side apply would fail on what somebody else owns by now: the plan says so.
      const conflict = await helmJob(node, at).run();
      expect(conflict.reason).toContain('conflict with "kubectl-patch" using v1: .data.greeting');
      expect(conflict.remedy).toContain("force_conflicts: true");
    }
    const drifted = planOf(await helmJob(node, { ...at, options: { force_conflicts: true } }).run());
    expect(drifted.helm_content_diff).toMatchObject([
      { kind: "ConfigMap", name: "life-map", api: "v1", _version: "2" },
    ]);
    expect(JSON.stringify(drifted.helm_content_diff)).toContain('{"payload":"  greeting: by hand","type":1}');

    const values = {
      values_files: ["replicas: 2\n"],
      values: [{ name: "greeting", value: "a,b{c}", type: "string", literal: true }],
    };
    const upgraded = await change(node, { ...at, block: values, options: { force_conflicts: true } });
    expect([upgraded.apply.status, upgraded.apply.reason]).toEqual(["finished", ""]);
    expect(await get("cm", "life-map", "-o", "jsonpath={.data.greeting}")).toBe("a,b{c}");
    expect(await get("deploy", "life", "-o", "jsonpath={.status.readyReplicas}")).toBe("2");

    const teardown = await helmJob(node, { ...at, operation: "create-teardown-plan" }).run();
    expect(planOf(teardown)).toMatchObject({ op: "uninstall" });
    expect(planOf(teardown).plan).toContain("3 to destroy");
    const contents = teardown.result?.contents_compressed ?? "";
    const gone = await helmJob(node, { ...at, operation: "apply-plan", contents }).run();
    expect([gone.status, gone.outputs]).toEqual(["finished", {}]);
    expect(await get("deploy,cm,secret", "-o", "name", "-l", "app.kubernetes.io/managed-by=Helm")).toBe("");
    expect(await get("secret", "-o", "name", "-l", "owner=helm")).toBe("");
    // Twice is fine.
    const again = await helmJob(node, { ...at, operation: "create-teardown-plan" }).run();
    expect(planOf(again)).toMatchObject({ plan: "no changes", op: "uninstall", helm_content_diff: [] });
    expect(
      (await helmJob(node, { ...at, operation: "apply-plan", contents: again.result?.contents_compressed ?? "" }).run())
        .status,
    ).toBe("finished");
  });

  test("reports exactly Nuon's shapes, and no value of a Secret leaves the cluster", async () => {
    const { plan, apply, logs } = await change(node, wanted("shape", chartOf()));
    expect(Object.keys(plan.result ?? {})).toEqual(["success", "contents_compressed", "contents_display_compressed"]);
    expect(plan.result?.contents_display_compressed).toBe(plan.result?.contents_compressed ?? "");
    expect(plan.result?.contents_compressed).toMatch(/^[A-Za-z0-9_-]+=*$/);
    expect(Buffer.from(String(plan.outputs?.diff), "base64").toString()).toBe(planOf(plan).plan);
    expect(apply.result).toEqual({ success: true });
    expect(Object.keys(apply.outputs ?? {})).toEqual(["manifest", "resources", "ingresses", "services", "deployments"]);
    const key = `${space}, shape, Deployment (apps)`;
    expect(apply.outputs?.resources).toMatchObject({ [key]: { Name: key, Kind: "Deployment", ResourcePolicy: "" } });
    expect(apply.outputs?.deployments).toMatchObject({
      [space]: { shape: { spec: {}, status: { readyReplicas: 1 } } },
    });
    const said = JSON.stringify([planOf(plan), plan.outputs, apply.outputs, logs]);
    expect(said).not.toContain(CANARY);
    expect(said).not.toContain(HIDDEN);
  });

  test("with values that are random each time can be approved and applied", async () => {
    const random = `apiVersion: v1\nkind: Secret\nmetadata: { name: random }\nstringData: { key: {{ randAlphaNum 12 | quote }} }\n`;
    const { apply, logs } = await change(node, wanted("random", chartOf({ "templates/random.yaml": random })));
    expect([apply.status, apply.reason]).toEqual(["finished", ""]);
    expect(logs).toContain(`renders differently each time (random values or times): Secret/${space}/random`);
  });

  test("whose chart brings a definition and an object of it is planned and installed", async () => {
    const kind = `Widget${helm}`;
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `widgets${helm}.example.test` },
      spec: {
        group: "example.test",
        scope: "Namespaced",
        names: { kind, plural: `widgets${helm}`, singular: `widget${helm}` },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
      },
    };
    const object = `apiVersion: example.test/v1\nkind: ${kind}\nmetadata: { name: one }\nspec: { a: 1 }\n`;
    const chart = chartOf({ "crds/widget.yaml": JSON.stringify(definition), "templates/widget.yaml": object });
    const { apply, logs } = await change(node, wanted("brings", chart));
    expect([apply.status, apply.reason]).toEqual(["finished", ""]);
    expect(logs).toContain(`${kind} one cannot be checked before its definition exists`);
    expect(await get(`widgets${helm}`, "-o", "name")).toContain("/one");
  });

  test("takes over an object that belongs to nobody only when it is told to", async () => {
    const at = wanted("taker", chartOf());
    await node.kubectl(["create", "namespace", space]).catch(() => "");
    await node.kubectl(["-n", space, "create", "configmap", "taker-map", "--from-literal=greeting=mine"]);
    const refused = await helmJob(node, at).run();
    expect(refused.reason).toContain("cannot be imported into the current release");
    expect(refused.remedy).toContain("take_ownership: true");
    const { plan, apply } = await change(node, {
      ...at,
      block: { take_ownership: true },
      options: { force_conflicts: true },
    });
    expect(planOf(plan).plan).toContain("1 to change ownership");
    expect([apply.status, apply.reason]).toEqual(["finished", ""]);
    expect(await get("cm", "taker-map", "-o", "jsonpath={.data.greeting}")).toBe("hello");
  });

  test("kept at the control plane leaves no record in the cluster", async () => {
    const { kept, releases } = memoryReleases();
    const at = { ...wanted("remote", chartOf()), harness: { releases } };
    const block = { storage_driver: "nuon", helm_chart_id: "hmctest" };
    const made = await change(node, { ...at, block });
    expect([made.apply.status, made.apply.reason]).toEqual(["finished", ""]);
    expect([...kept.keys()]).toEqual(["sh.helm.release.v1.remote.v1"]);
    expect(kept.get("sh.helm.release.v1.remote.v1")).toMatchObject({
      info: { status: "deployed" },
      labels: { owner: "helm" },
    });
    const again = await change(node, { ...at, block: { ...block, values_files: ["greeting: two"] } });
    expect([again.apply.status, planOf(again.plan).op]).toEqual(["finished", "upgrade"]);
    expect([...kept.values()].map((one) => one.info?.status)).toEqual(["superseded", "deployed"]);
    expect(await get("secret", "-o", "name", "-l", "owner=helm,name=remote")).toBe("");
  });

  test("keeps its records in ConfigMaps when asked, and no more revisions than asked", async () => {
    const at = { ...wanted("maps", chartOf()), options: { history_limit: 2 } };
    const block = { storage_driver: "configmap" };
    for (const greeting of ["one", "two", "three"]) {
      const { apply } = await change(node, { ...at, block: { ...block, values_files: [`greeting: ${greeting}`] } });
      expect([apply.status, apply.reason]).toEqual(["finished", ""]);
    }
    expect((await get("cm", "-o", "name", "-l", "owner=helm,name=maps")).trim().split("\n")).toHaveLength(2);
    expect(await get("secret", "-o", "name", "-l", "owner=helm,name=maps")).toBe("");
  });

  test("is installed from an artifact that `helm push` made", async () => {
    const registry = await startRegistry();
    try {
      const folder = mkdtempSync(join(dirname(node.kubeconfig), "chart-"));
      const program = goProgram(helm) ?? "helm";
      const env = { PATH: process.env.PATH ?? "", HOME: folder };
      Bun.spawnSync([program, "package", chartOf(), "-d", folder], { env });
      const packed = join(folder, "web-1.0.0.tgz");
      const pushed = Bun.spawnSync([program, "push", "--plain-http", packed, `oci://${registry.host}/charts`], { env });
      expect(pushed.success).toBe(true);
      const into = join(folder, "pulled");
      await pullArtifact(
        { scheme: "http", host: registry.host, repository: "charts/web", reference: "1.0.0", credentials: null },
        into,
        { insecureHosts: [registry.host] },
      );
      expect(Bun.hash(await Bun.file(join(into, "chart.tgz")).bytes())).toBe(Bun.hash(await Bun.file(packed).bytes()));
      const { apply } = await change(node, wanted("packed", into));
      expect([apply.status, apply.reason]).toEqual(["finished", ""]);
    } finally {
      await registry.end();
    }
  });
});
