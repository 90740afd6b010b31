import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { definitionFiles } from "../../bed/definitions.ts";
import { goProgram } from "../../bed/go-program.ts";
import { GO_PROGRAMS } from "../../bed/manifest.ts";
import { type Control, startControl, write } from "../../faults/lib/control.ts";
import { type Bed, makeBed } from "../../faults/lib/processes.ts";
import { chartOf } from "../../integration/helm/bed.ts";
import { configMap, deployment } from "../../integration/manifest/manifest-bed.ts";
import { folderOf } from "../../lib/handler-harness.ts";
import { type ClusterBed, giveToken, RUNNER, SMALL, skip, startClusterBed } from "./bed.ts";
import { HELMS, type HelmName } from "./helm.ts";
import { OLD, valuesOfNuon } from "./nuon.ts";

const HOOK = `apiVersion: batch/v1
kind: Job
metadata:
  name: "{{ .Release.Name }}-hook"
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: hook, image: "localhost/bb:1", imagePullPolicy: Never, command: ["true"] }]
`;

interface End {
  readonly status: string;
  readonly reason: string;
}

/** The image has no helm of its own, and nothing to fetch one from here. */
const programs = {
  extraVolumes: HELMS.map((name) => ({ name, hostPath: { path: goProgram(name), type: "File" } })),
  extraVolumeMounts: HELMS.map((name) => ({ name, mountPath: `/usr/local/bin/${name}`, readOnly: true })),
};

const apiServer = (server: string) => {
  const { hostname, port } = new URL(server);
  return [
    { name: "KUBERNETES_SERVICE_HOST", value: hostname },
    { name: "KUBERNETES_SERVICE_PORT", value: port },
  ];
};

describe.skipIf(skip)("a runner of the chart that works on its own cluster", () => {
  let bed: ClusterBed;
  let plane: Bed;
  let control: Control;
  const chart = chartOf({ "templates/hook.yaml": HOOK });
  beforeAll(async () => {
    plane = makeBed();
    [bed, control] = await Promise.all([startClusterBed(), startControl(plane)]);
    for (const name of ["runner", "apps", "other"]) await bed.namespace(name);
    for (const file of definitionFiles()) await bed.node.kubectl(["apply", "--server-side", "-f", file]);
    const { id, token } = await control.createRunner("rights");
    await giveToken(bed, "runner", token, "none");
    const namespaces = ["apps"];
    await bed.install("helm4", "runner", RUNNER, "runner", {
      ...SMALL,
      apiUrl: control.url,
      runnerId: id,
      token: { existingSecret: "token" },
      state: { kind: "emptyDir" },
      hostNetwork: true,
      extraEnv: apiServer(bed.node.server),
      ...programs,
      handlers: { kubejob: { namespaces }, helm: { namespaces }, manifest: { namespaces } },
    });
  }, 600_000);
  afterAll(async () => {
    await Promise.all([bed?.end(), plane?.end()]);
    rmSync(chart, { recursive: true, force: true });
  }, 60_000);

  const run = async (job: Record<string, unknown>, spec: Record<string, unknown>): Promise<End> => {
    const file = write(
      plane,
      `job-${Bun.randomUUIDv7()}.json`,
      JSON.stringify({ name: "rights", timeout: "2m", ...job, spec }),
    );
    const id = await control.submit(file, undefined, { PASSWORD: "hunter2canary" });
    const { status, reason } = await control.ended(id, 110_000);
    return { status, reason };
  };
  const FINISHED = { status: "finished", reason: "" };

  const job = (namespace: string) =>
    run(
      { type: "job-deploy" },
      { namespace, image: "localhost/bb:1", pull_policy: "Never", command: ["true"], env: { P: { env: "PASSWORD" } } },
    );
  const release = (helm: HelmName, operation: string, namespace: string, greeting = "hello") =>
    run(
      { type: "helm-chart-deploy", operation },
      {
        source: { path: chart },
        version: GO_PROGRAMS[helm].version,
        release: helm,
        namespace,
        values: { greeting },
      },
    );
  const objects = (operation: string, namespace: string, manifest: string) =>
    run({ type: "kubernetes-manifest-deploy", operation }, { namespace, set: "web", prune: true, manifest });

  test("may run a Kubernetes Job with a secret variable", async () => {
    expect(await job("apps")).toEqual(FINISHED);
  }, 120_000);

  test("may install, upgrade and remove a chart with hooks, by helm 3 and by helm 4", async () => {
    const whole = async (helm: HelmName) => {
      const ends = [await release(helm, "apply", "apps"), await release(helm, "apply", "apps", "good day")];
      const path = ["-n", "apps", "-o", "jsonpath={.data.greeting}"];
      const greeting = await bed.node.kubectl(["get", "cm", `${helm}-map`, ...path]);
      return { ends: [...ends, await release(helm, "destroy", "apps")], greeting };
    };
    const good = { ends: [FINISHED, FINISHED, FINISHED], greeting: "good day" };
    expect(await Promise.all(HELMS.map(whole))).toEqual([good, good]);
  }, 180_000);

  test("may apply, change, prune and remove a manifest", async () => {
    const both = deployment("one") + configMap("two", { a: "1" });
    expect(await objects("apply", "apps", both)).toEqual(FINISHED);
    expect(await objects("apply", "apps", deployment("one", { replicas: 2 }))).toEqual(FINISHED);
    expect(await bed.node.kubectl(["get", "cm", "two", "-n", "apps", "--ignore-not-found"])).toBe("");
    expect(await objects("destroy", "apps", deployment("one"))).toEqual(FINISHED);
  }, 180_000);

  test("is refused by the cluster outside of the namespaces that were named, and says who asked for what", async () => {
    const refused = {
      status: "failed",
      reason: expect.stringMatching(/forbidden.*system:serviceaccount:runner:runner/s),
    };
    expect(await job("other")).toEqual(refused);
    expect(await release("helm4", "apply", "other")).toEqual(refused);
    expect(await objects("apply", "other", configMap("two", { a: "1" }))).toEqual(refused);
  }, 120_000);

  test("makes no namespace for a chart: a missing one is refused, as its job may not even look there", async () => {
    const { status, reason } = await release("helm4", "apply", "absent");
    expect({ status, reason }).toEqual({
      status: "failed",
      reason: expect.stringMatching(/forbidden.*system:serviceaccount:runner:runner/s),
    });
  }, 120_000);

  test("may nothing else: no roles, no pods of others, no Secret of its own namespace, nothing of the whole cluster", async () => {
    const asked = [
      ["create", "apps", "deployments", "apps", "true"],
      ["create", "rbac.authorization.k8s.io", "roles", "apps", "false"],
      ["create", "rbac.authorization.k8s.io", "rolebindings", "apps", "false"],
      ["create", "", "pods", "apps", "false"],
      ["delete", "", "pods", "apps", "false"],
      ["get", "", "secrets", "runner", "false"],
      ["list", "", "secrets", "", "false"],
      ["get", "", "nodes", "", "false"],
      ["create", "", "namespaces", "", "false"],
    ] as const;
    const user = "system:serviceaccount:runner:runner";
    const items = asked.map(([verb, group, resource, namespace]) => ({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { user, resourceAttributes: { verb, group, resource, namespace } },
    }));
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    const may = await bed.node.kubectl(["create", "-f", "-", "-o", 'jsonpath={.status.allowed}{"\\n"}'], list);
    expect(may.trim().split("\n")).toEqual(asked.map(([, , , , expected]) => expected));
  }, 60_000);

  test("takes the place of Nuon's chart with the values of its control plane, and the token leaves the ConfigMap", async () => {
    const { id, token } = await control.createRunner("org");
    const namespace = id.toLowerCase();
    const name = `runner-${id}`.toLowerCase();
    await bed.namespace(namespace);
    const theirs = valuesOfNuon({ id, token, url: control.url, name: "runner-org" });
    const old = folderOf({ "Chart.yaml": "apiVersion: v2\nname: runner\nversion: 0.0.1\n", "templates/all.yaml": OLD });
    await bed.install("helm3", name, old, namespace, theirs);
    rmSync(old, { recursive: true });
    const kept = async () =>
      (await bed.node.kubectl(["get", "cm,deploy,hpa,sts", "-n", namespace, "-o", "yaml"])) ?? "";
    expect(await kept()).toContain(token);
    await bed.node.kubectl(["scale", "deployment", name, "-n", namespace, "--replicas=0"]);
    await bed.node.kubectl(["label", "node", "localhost", `runner/pool=${name}`]);
    const here = { ...SMALL, image: { ...theirs.image, pullPolicy: "Never" }, hostNetwork: true, healthPort: 9465 };
    await bed.install("helm3", name, RUNNER, namespace, { ...theirs, ...here, state: { kind: "emptyDir" } });
    expect((await control.runners()).find((one) => one.id === id)).toMatchObject({
      contact: "online",
      session: { mode: "org" },
    });
    const now = await kept();
    expect(now).not.toContain(token);
    expect(now).not.toMatch(/kind: (Deployment|HorizontalPodAutoscaler)/);
    expect(await bed.node.kubectl(["get", "nodepools", "-o", "name"])).toBe(
      `nodepool.karpenter.sh/${`${namespace}-${name}`.slice(0, 63)}\n`,
    );
  }, 180_000);

  test("every rendering of the charts is taken by a real API server, without an unknown field", async () => {
    for (const name of ["shop", "web"]) await bed.namespace(name);
    const folder = join(import.meta.dir, "../../fixtures/helm");
    const said = await bed.node.kubectl(["apply", "--dry-run=server", "--validate=strict", "-f", folder]);
    const lines = said.trim().split("\n");
    expect(lines.length).toBeGreaterThan(40);
    expect(lines.filter((line) => !/created \(server dry run\)$/.test(line))).toEqual([]);
  }, 60_000);
});
