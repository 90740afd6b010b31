import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type KubeClient, kubeClient, readKubeconfig, resourceFinder } from "../../../internal/kit/kube/index.ts";
import { parseManifest } from "../../../internal/kit/manifest/index.ts";
import { compare } from "../../../internal/runner/handlers/manifest/compare.ts";
import { locate } from "../../../internal/runner/handlers/manifest/locate.ts";
import { type KubeNode, nodeMissing, startNode } from "../../bed/node/node.ts";
import { configMap, deployment, manifestBed, object } from "./manifest-bed.ts";

const missing = nodeMissing();
const skip = missing !== null && process.env.CI !== "true";

const pod = (name: string, over: Record<string, unknown> = {}) =>
  object({ apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers: [], ...over } });

/** Manifests that a plan refuses: what its one line says, and the remedy. */
const REFUSED: readonly (readonly [string, string, readonly string[], string])[] = [
  ["no object at all", "# nothing\n---\n", ["the manifest holds no object"], "at least one object"],
  ["something that is no YAML", "a: [", ["the manifest, document 1: not YAML"], "Correct the manifest"],
  [
    "an object without a name",
    object({ apiVersion: "v1", kind: "Pod", metadata: {} }),
    ["document 1: metadata.name"],
    "Correct",
  ],
  ["an object twice", configMap("x", {}) + configMap("x", {}), ["has ConfigMap default/x twice"], "Keep one"],
  [
    "a kind that nobody defines",
    object({ apiVersion: "nobody.test/v1", kind: "Thing", metadata: { name: "t" } }),
    ["Thing t: the cluster knows no kind Thing in nobody.test/v1"],
    "CustomResourceDefinition",
  ],
  [
    "a version the cluster does not have",
    object({ apiVersion: "extensions/v1beta1", kind: "Ingress", metadata: { name: "i" } }),
    ["knows no kind Ingress in extensions/v1beta1"],
    "api-resources",
  ],
  [
    "a field that does not exist",
    object({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "f" }, dta: { a: "b" } }),
    ["ConfigMap default/f: .dta: field not declared in schema"],
    "kubectl explain configmaps",
  ],
  [
    "a value of the wrong kind",
    object({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "f" }, data: { a: 1 } }),
    ["ConfigMap default/f: .data.a: expected string"],
    "Correct that field",
  ],
  [
    "a value that is not allowed",
    pod("p"),
    ["Pod default/p: ", "spec.containers: Required value"],
    "Correct the fields",
  ],
  [
    "a namespace that is not there",
    configMap("x", {}, { namespace: "nowhere" }),
    ['ConfigMap nowhere/x: namespaces "nowhere" not found'],
    "kind Namespace",
  ],
];

describe.skipIf(skip)("bad days of a manifest", () => {
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

  test.each(REFUSED)("a plan refuses %s in one line, with a remedy", async (_name, manifest, parts, remedy) => {
    const plan = await bed.planned(manifest);
    expect(plan.status).toBe("failed");
    for (const part of parts) expect(plan.reason).toContain(part);
    expect(plan.reason).not.toContain("\n");
    expect(plan.remedy ?? "").toContain(remedy);
    expect(plan.result).toBeNull();
  });

  test("everything that is wrong is in the log, the first of it is the reason", async () => {
    const bad = (name: string) => object({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, dta: {} });
    const plan = await bed.planned(bad("b1") + configMap("good", {}) + bad("b2"));
    expect(plan.reason).toContain("ConfigMap default/b1");
    expect(plan.reason).toContain("and 1 more");
    expect(plan.log).toContain("ConfigMap default/b2: .dta: field not declared in schema");
  });

  test("a wrong value of a Secret is told without the value", async () => {
    const plan = await bed.planned(
      object({ apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { pin: 90210 } }),
    );
    expect(plan.reason).toContain("Secret default/s: .stringData.pin: expected string");
    expect(plan.reason + plan.log).not.toContain("90210");
  });

  test("a field that cannot be changed is named, with what to do", async () => {
    await bed.change(deployment("fixed", { labels: { app: "a" } }));
    const plan = await bed.planned(deployment("fixed", { labels: { app: "b" } }));
    expect(plan.reason).toBe("Deployment default/fixed: spec.selector cannot be changed while the object exists");
    expect(plan.remedy).toContain("kubectl delete deployments fixed -n default");
  });

  test("a conflict is told by field and owner, and only taken when asked", async () => {
    const kubectl = (value: string) =>
      node.kubectl(
        ["apply", "--server-side", "--field-manager=their-tool", "--force-conflicts", "-f", "-"],
        JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "shared" }, data: { a: value } }),
      );
    await kubectl("theirs");
    const manifest = configMap("shared", { a: "ours" });
    const plan = await bed.planned(manifest);
    expect(plan.reason).toBe("ConfigMap default/shared: fields belong to others: .data.a (their-tool)");
    expect(plan.remedy).toContain("force_conflicts");
    const options = { force_conflicts: true };
    const forced = await bed.planned(manifest, { options });
    expect(forced.plan?.k8s_content_diff?.[0]?.note).toBe("takes .data.a from their-tool");
    expect(forced.log).toContain(".data.a is taken from their-tool");
    expect((await bed.applied(manifest, forced.contents, { options })).reason).toBe("");
    expect((await bed.live("configmap", "shared")).data).toEqual({ a: "ours" });
  });

  test("a right that is missing is told as such, also to read; nothing is taken for absent", async () => {
    const manifest = configMap("r1", { a: "b" });
    const denied = await bed.planned(manifest, { user: "limited" });
    expect(denied.reason).toContain('ConfigMap default/r1: configmaps "r1" is forbidden: User "limited" cannot get');
    expect(denied.remedy).toContain("RoleBinding");
    await node.kubectl(["create", "role", "reader", "--verb=get", "--resource=configmaps"]);
    await node.kubectl(["create", "rolebinding", "reader", "--role=reader", "--user=limited"]);
    const write = await bed.planned(manifest, { user: "limited" });
    expect(write.reason).toContain('User "limited" cannot patch resource "configmaps"');
    const down = await bed.planned(object({ apiVersion: "v1", kind: "Secret", metadata: { name: "s" } }), {
      user: "limited",
      operation: "create-teardown-plan",
    });
    expect(down.reason).toContain('cannot get resource "secrets"');
  });

  test("a policy of the cluster that refuses an object fails the plan in the policy's words", async () => {
    const policy = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "no-evil" },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] },
          ],
        },
        validations: [
          { expression: "!has(object.data) || !('evil' in object.data)", message: "evil is not allowed here" },
        ],
      },
    };
    const bound = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "no-evil" },
      spec: { policyName: "no-evil", validationActions: ["Deny"] },
    };
    await node.kubectl(["apply", "-f", "-"], JSON.stringify(policy));
    await node.kubectl(["apply", "-f", "-"], JSON.stringify(bound));
    let plan = await bed.planned(configMap("bad", { evil: "1" }));
    // The cluster learns of a policy within moments.
    for (let n = 0; n < 100 && plan.status === "finished"; n++) {
      await Bun.sleep(100);
      plan = await bed.planned(configMap("bad", { evil: "1" }));
    }
    expect(plan.reason).toContain("evil is not allowed here");
    expect(plan.remedy).toContain("A policy of the cluster");
    await node.kubectl(["delete", "validatingadmissionpolicybinding", "no-evil"]);
  }, 60_000);

  test("a quota that does not let an object in is told by the plan", async () => {
    await node.kubectl(["create", "namespace", "tight"]);
    await node.kubectl(["create", "quota", "q", "--hard=configmaps=1", "-n", "tight"]);
    let plan = await bed.planned(configMap("q1", {}, { namespace: "tight" }));
    for (let n = 0; n < 100 && plan.status === "finished"; n++) {
      await Bun.sleep(100);
      plan = await bed.planned(configMap("q1", {}, { namespace: "tight" }));
    }
    expect(plan.reason).toContain("exceeded quota: q");
  }, 60_000);

  describe("an approved plan is what is applied, or nothing is", () => {
    const manifest = configMap("bound", { a: "2" });
    const outOfStep: readonly (readonly [string, () => Promise<unknown>, string])[] = [
      [
        "the field was changed by somebody",
        () => node.kubectl(["patch", "configmap", "bound", "-p", '{"data":{"a":"9"}}']),
        "ConfigMap default/bound has changed since",
      ],
      ["the object was removed", () => node.kubectl(["delete", "configmap", "bound"]), "was removed since"],
      [
        "the object was made anew",
        async () => {
          await node.kubectl(["delete", "configmap", "bound"]);
          await node.kubectl(["create", "configmap", "bound", "--from-literal=a=1"]);
        },
        "was made anew since",
      ],
    ];
    test.each(outOfStep)("when %s", async (_name, meanwhile, reason) => {
      await node.kubectl(["delete", "configmap", "bound", "--ignore-not-found"]);
      await bed.change(configMap("bound", { a: "1" }));
      const plan = await bed.planned(manifest, { options: { force_conflicts: true } });
      await meanwhile();
      const end = await bed.applied(manifest, plan.contents, { options: { force_conflicts: true } });
      expect(end.reason).toContain(`stale_plan: ConfigMap default/bound`);
      expect(end.reason).toContain(reason);
      expect(end.remedy).toContain("Make the plan again");
    });

    test("when the manifest, its namespace or its options are others", async () => {
      await node.kubectl(["delete", "configmap", "bound", "--ignore-not-found"]);
      const plan = await bed.planned(manifest);
      const ends = [
        await bed.applied(configMap("bound", { a: "3" }), plan.contents),
        await bed.applied(manifest, plan.contents, { namespace: "kube-system" }),
        await bed.applied(manifest, plan.contents, { options: { force_conflicts: true } }),
      ];
      for (const { reason } of ends) expect(reason).toContain("are not those of the plan");
    });

    test.each([
      [0, 1],
      [2, 3],
    ])("what a controller writes %i times while the plan is made is no change of it", async (writes, tries) => {
      const name = `written-${writes}`;
      await bed.change(configMap(name, { a: "1" }));
      const target = readKubeconfig(node.configFor("admin"), { folder: null, spawn: null });
      if (!target.ok) throw target.error;
      const real = kubeClient(target.value);
      let asked = 0;
      const client: KubeClient = {
        ...real,
        request: async (request, schema) => {
          if (request.method === "PATCH" && asked++ < writes) {
            await node.kubectl(["annotate", "configmap", name, `seen=${asked}`, "--overwrite"]);
          }
          return real.request(request, schema);
        },
      };
      const signal = new AbortController().signal;
      const cluster = { client, finder: resourceFinder(client, signal), signal };
      const objects = parseManifest(configMap(name, { a: "2" }), "test");
      if (!objects.ok) throw objects.error;
      const [object] = await locate(cluster, objects.value, "default");
      if (object === undefined) throw new Error("the manifest holds no object");
      const { diff } = await compare(cluster, object, { force: false, made: new Set() });
      expect([...new Set(diff.entries?.map(({ path }) => path))]).toEqual(["data"]);
      expect(asked).toBe(tries);
    });

    test("a change that the plan does not touch, and a status, do not matter", async () => {
      await bed.change(deployment("busy"));
      const plan = await bed.planned(deployment("busy", { replicas: 2 }));
      await node.kubectl(["label", "deployment", "busy", "somebody=else"]);
      expect((await bed.applied(deployment("busy", { replicas: 2 }), plan.contents)).reason).toBe("");
    });

    test("a Go runner's plan, which does not say what it was made of, covers only what it names", async () => {
      const plan = await bed.planned(configMap("named", { a: "1" }));
      const diff = JSON.stringify({ plan: "", op: "apply", k8s_content_diff: plan.plan?.k8s_content_diff });
      const contents = Buffer.from(Bun.gzipSync(diff)).toString("base64");
      const more = await bed.applied(configMap("named", { a: "1" }) + configMap("smuggled", {}), contents);
      expect(more.reason).toContain("ConfigMap default/smuggled would change, which the plan does not say");
      expect((await bed.applied(configMap("named", { a: "1" }), contents)).reason).toBe("");
    });

    test.each([
      ["", "is missing"],
      ["!!!", "is not base64"],
      ["aGVsbG8=", "cannot be read"],
      [Buffer.from(Bun.gzipSync('{"op":"drop"}')).toString("base64"), "has another form (op)"],
    ])("a saved plan that is damaged is refused: %#", async (contents, part) => {
      const end = await bed.applied(manifest, contents);
      expect(end.reason).toContain(part);
    });
  });

  test("a wait that ends in vain says which pod cannot do what", async () => {
    const crash = deployment("crash", { command: ["sh", "-c", "exit 3"] });
    const image = deployment("image", { image: "localhost/none:1" });
    const options = { wait: 6_000 };
    const plan = await bed.planned(crash + image, { options });
    const end = await bed.applied(crash + image, plan.contents, { options });
    expect(end.status).toBe("failed");
    expect(end.reason).toContain("not ready after 6s");
    expect(end.reason).toMatch(
      /Deployment default\/crash \(0 of 1 available: pod crash-\S+: container main: (Error|CrashLoopBackOff)/,
    );
    expect(end.reason).toMatch(
      /Deployment default\/image \(0 of 1 available: pod image-\S+: container main: ErrImageNeverPull/,
    );
    expect(end.remedy).toContain("The objects are applied");
    expect(end.harness.steps.at(-1)).toMatchObject({ name: "wait", status: "error" });
  }, 60_000);

  test("a program that ends at once is not taken for ready in the moment it ran", async () => {
    const options = { wait: 3_000 };
    const manifest = deployment("flash", { command: ["sh", "-c", "exit 3"] });
    const plan = await bed.planned(manifest, { options });
    const end = await bed.applied(manifest, plan.contents, { options });
    expect(end.reason).toContain("not ready after 3s: Deployment default/flash");
  }, 60_000);

  test("a Job that fails ends the wait at once", async () => {
    const job = object({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "failing" },
      spec: {
        backoffLimit: 0,
        template: {
          spec: {
            restartPolicy: "Never",
            containers: [{ name: "main", image: "localhost/bb:1", imagePullPolicy: "Never", command: ["false"] }],
          },
        },
      },
    });
    const options = { wait: 300_000 };
    const plan = await bed.planned(job, { options });
    const end = await bed.applied(job, plan.contents, { options });
    expect(end.reason).toContain("Job default/failing has failed: BackoffLimitExceeded");
  }, 60_000);

  test("a removal that a finalizer holds names it, and what comes before it waits", async () => {
    const manifest = configMap("held", {}, { finalizers: ["example.test/hold"] });
    await bed.change(manifest);
    const down = await bed.planned(manifest, { operation: "create-teardown-plan", options: { wait: 1_000 } });
    const end = await bed.applied(manifest, down.contents, { options: { wait: 1_000 } });
    expect(end.reason).toContain("not gone after 1s: ConfigMap default/held (finalizers example.test/hold)");
    expect(end.remedy).toContain("finalizers");
    await node.kubectl([
      "patch",
      "configmap",
      "held",
      "--type=json",
      "-p",
      '[{"op":"remove","path":"/metadata/finalizers"}]',
    ]);
  }, 60_000);

  test("a removal never takes an object that was made anew after its plan", async () => {
    const manifest = configMap("renewed", {});
    await bed.change(manifest);
    const down = await bed.planned(manifest, { operation: "create-teardown-plan" });
    await node.kubectl(["delete", "configmap", "renewed"]);
    await node.kubectl(["create", "configmap", "renewed"]);
    const end = await bed.applied(manifest, down.contents);
    expect(end.reason).toContain("ConfigMap default/renewed was made anew since the plan was made");
    expect(await bed.exists("configmap", "renewed")).toBe(true);
  });

  test("a job that is stopped while it waits ends at once", async () => {
    const manifest = deployment("endless", { image: "localhost/none:1" });
    const options = { wait: 300_000 };
    const plan = await bed.planned(manifest, { options });
    const harness = bed.job({ operation: "apply-plan", manifest, contents: plan.contents, options });
    const stop = new AbortController();
    const context = { ...harness.context(), signal: stop.signal };
    const handler = harness.handler;
    const ended = handler.execute(context).then(
      () => "finished",
      (error: unknown) => (error instanceof Error ? error.message : "?"),
    );
    while (!harness.log().includes("Deployment default/endless: ")) await Bun.sleep(50);
    while (!harness.log().includes("ErrImageNeverPull")) await Bun.sleep(50);
    stop.abort({ kind: "cancelled", why: "cancelled by a person" });
    expect(await ended).toContain("cancelled");
    expect(harness.steps.map(({ name, status }) => [name, status])).toEqual([
      ["apply", "finished"],
      ["wait", "error"],
    ]);
  }, 60_000);

  test("an apply that a crash interrupts goes on from its plan, whatever was applied by then", async () => {
    const options = { set: "crashed", prune: true };
    await bed.change(configMap("k0", { a: "1" }) + configMap("k1", { a: "1" }), { options });
    const manifest = configMap("k1", { a: "2" }) + configMap("k2", { a: "1" });
    const plan = await bed.planned(manifest, { options });
    const harness = bed.job({ operation: "apply-plan", manifest, contents: plan.contents, options });
    // The first run has applied everything and dies before it says so; the second is what comes after the restart.
    expect((await harness.run()).reason).toBe("");
    const again = await harness.run();
    expect(again.reason).toBe("");
    expect(again.outputs).toEqual({ diff: plan.plan?.k8s_content_diff });
    expect(harness.log()).toContain("goes on after a restart");
    expect(await Promise.all(["k0", "k1", "k2"].map((name) => bed.exists("configmap", name)))).toEqual([
      false,
      true,
      true,
    ]);
  });

  test("a removal that a crash interrupts goes on from its plan, also when what it was told from is gone", async () => {
    const options = { set: "halfway", wait: 30_000 };
    const manifest = configMap("h1", {});
    await bed.change(manifest + configMap("h2", {}), { options });
    const down = await bed.planned(manifest, { operation: "create-teardown-plan", options });
    expect(down.plan?.k8s_content_diff?.map(({ name }) => name)).toEqual(["h1", "h2", "runner-set-halfway"]);
    const harness = bed.job({ operation: "apply-plan", manifest, contents: down.contents, options });
    expect((await harness.run()).reason).toBe("");
    // As if only the set's own note had been removed before the crash.
    await node.kubectl(["delete", "configmap", "runner-set-halfway", "--ignore-not-found"]);
    expect((await harness.run()).reason).toBe("");
    expect(await Promise.all(["h1", "h2"].map((name) => bed.exists("configmap", name)))).toEqual([false, false]);
  }, 60_000);

  test("a cluster that cannot be reached is told with its address", async () => {
    const config = JSON.parse(node.configFor("admin")) as { clusters: { cluster: { server: string } }[] };
    for (const one of config.clusters) one.cluster.server = "https://127.0.0.1:9";
    const plan = await bed.planned(configMap("x", {}), { kubeconfig: JSON.stringify(config) });
    expect(plan.reason).toContain("the cluster at https://127.0.0.1:9: ConfigMap x: ");
    expect(plan.reason).toContain("connection refused");
    expect(plan.remedy).toContain("address");
  }, 60_000);
});
