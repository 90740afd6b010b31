import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { type KubeNode, nodeMissing, startNode } from "../../bed/node/node.ts";
import { addRunner, type Control, startControl, terminalOf, write } from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { configMap, deployment, manifestBed, object } from "./manifest-bed.ts";

const missing = nodeMissing();
const skip = missing !== null && process.env.CI !== "true";

/** The whole way: job file, coordinator, runner, cluster; two processes of the program itself. */
describe.skipIf(skip)("a change of a manifest", () => {
  let node: KubeNode;
  let objects: ReturnType<typeof manifestBed>;
  let bed: Bed;
  let control: Control;
  beforeAll(async () => {
    node = await startNode();
    objects = manifestBed(node);
  }, 120_000);
  afterAll(async () => {
    await node?.end();
  }, 60_000);
  beforeEach(async () => {
    bed = makeBed();
    control = await startControl(bed);
  });
  afterEach(() => bed.end());

  const runner = (env: Record<string, string> = {}) =>
    addRunner(bed, control, { env: { RUNNER_KUBECONFIG: node.kubeconfig, ...env } });

  const jobFile = (
    name: string,
    manifest: string,
    rest: Record<string, unknown> = {},
    spec: Record<string, unknown> = {},
  ) =>
    write(
      bed,
      `${name}.yaml`,
      JSON.stringify({ type: "kubernetes-manifest-deploy", name, ...rest, spec: { manifest, ...spec } }),
    );

  test("waits for a person who sees what would change, without the values of Secrets, and then applies just that", async () => {
    await runner();
    const secret = object({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "e2e" },
      stringData: { password: "canary-e2e-4711" },
    });
    const manifest = configMap("e2e", { a: "1" }) + secret + configMap("theirs", { a: "ours" });
    await node.kubectl(["create", "configmap", "theirs", "--from-literal=a=theirs", "--field-manager=their-tool"]);
    const file = jobFile("ask", manifest, { approval: "required" }, { force_conflicts: true });
    const id = await control.submit(file);
    const waiting = await until("it waits", async () => {
      const doc = await control.show(id);
      return doc.status === "approval-awaiting" ? doc : null;
    });
    const text = JSON.stringify(waiting);
    expect(text).toContain("+ ConfigMap default/e2e (v1) will be added");
    expect(text).toContain("(takes .data.a from their-tool)");
    expect(text).toContain("Plan: 2 to add, 1 to change, 0 to remove.");
    expect(text).not.toContain("canary-e2e-4711");
    expect(await objects.exists("configmap", "e2e")).toBe(false);
    expect((await control.post(`/jobs/${id}/approve`, { reason: "fine" })).status).toBeLessThan(300);
    const doc = await control.ended(id);
    expect(doc.status).toBe("finished");
    expect(await objects.exists("configmap", "e2e")).toBe(true);
    expect(JSON.stringify(doc.outputs)).toContain('"name":"e2e"');
    const logs = await Promise.all(doc.jobs.map((job) => control.log(job.id)));
    expect(JSON.stringify([doc, logs])).not.toContain("canary-e2e-4711");
    // The same once more: there is nothing to approve.
    const same = await control.ended(await control.submit(file));
    expect([same.status, same.reason]).toEqual(["finished", "no changes"]);
    const down = await control.ended(await control.submit(jobFile("down", manifest, { operation: "destroy" })));
    expect(down.status).toBe("finished");
    expect(await objects.exists("secret", "e2e")).toBe(false);
  }, 90_000);

  test("from a folder, killed with SIGKILL between two waves: after the restart it is applied as a whole, once", async () => {
    const handle = await runner({ RUNNER_FAILPOINT: "manifest.wave" });
    mkdirSync(bed.path("app"));
    write(bed, "app/10-config.yaml", configMap("killed", { a: "1" }));
    write(bed, "app/20-web.yml", deployment("killed"));
    write(bed, "app/README.md", "not a manifest");
    const file = write(
      bed,
      "folder.yaml",
      JSON.stringify({
        type: "kubernetes-manifest-deploy",
        spec: { source: { path: "./app" }, set: "killed", prune: true },
      }),
    );
    const id = await control.submit(file);
    expect(await handle.proc.exited).toBe(137);
    expect(await objects.exists("configmap", "killed")).toBe(true);
    expect(await objects.exists("deployment", "killed")).toBe(false);
    handle.proc = handle.start({ RUNNER_KUBECONFIG: node.kubeconfig });
    const doc = await control.ended(id);
    expect([doc.status, doc.reason]).toEqual(["finished", ""]);
    expect(terminalOf(doc)).toEqual(["finished"]);
    expect(await objects.exists("deployment", "killed")).toBe(true);
    const log = await control.log(doc.jobs.at(-1)?.id ?? "");
    expect(log).toContain("goes on after a restart");
    expect(log).toContain("Deployment default/killed: ready");
  }, 120_000);

  test("that removes, killed with SIGKILL in mid-way: the rest goes after the restart, and nothing that is new", async () => {
    const handle = await runner();
    const manifest = configMap("undone", { a: "1" }) + deployment("undone");
    expect((await control.ended(await control.submit(jobFile("make", manifest)))).status).toBe("finished");
    await node.kubectl(["patch", "configmap", "undone", "-p", '{"metadata":{"finalizers":["example.test/hold"]}}']);

    const id = await control.submit(jobFile("undo", manifest, { operation: "destroy" }));
    await until("it waits for the finalizer", async () => {
      const job = (await control.show(id)).jobs.at(-1);
      return job !== undefined && (await control.log(job.id)).includes("finalizers example.test/hold");
    });
    await handle.proc.kill9();
    expect(await objects.exists("deployment", "undone")).toBe(false);
    await node.kubectl(["create", "deployment", "undone", "--image=localhost/bb:1", "--replicas=0"]);
    await node.kubectl(["patch", "configmap", "undone", "-p", '{"metadata":{"finalizers":null}}']);
    handle.proc = handle.start({ RUNNER_KUBECONFIG: node.kubeconfig });
    const doc = await control.ended(id);
    expect([doc.status, doc.reason, terminalOf(doc)]).toEqual(["finished", "", ["finished"]]);
    expect(await objects.exists("configmap", "undone")).toBe(false);
    // Somebody else's by now.
    expect(await objects.exists("deployment", "undone")).toBe(true);
  }, 120_000);

  test("that is cancelled while it waits ends cancelled; one that runs out of time ends timed-out", async () => {
    await runner();
    const stuck = (name: string) => deployment(name, { image: "localhost/none:1" });
    const id = await control.submit(jobFile("stuck", stuck("stuck")));
    await until("it waits for the pod", async () => {
      const job = (await control.show(id)).jobs.at(-1);
      return job !== undefined && (await control.log(job.id)).includes("ErrImageNeverPull");
    });
    await control.post(`/jobs/${id}/cancel`, { reason: "enough" });
    expect((await control.ended(id)).status).toBe("cancelled");
    const slow = await control.submit(jobFile("slow", stuck("slow"), { timeout: "4s" }));
    expect((await control.ended(slow)).status).toBe("timed-out");
  }, 90_000);

  test("on a runner without a cluster fails with what to do", async () => {
    await addRunner(bed, control);
    const doc = await control.ended(await control.submit(jobFile("none", configMap("none", {}))));
    expect(doc.status).toBe("failed");
    expect(doc.reason).toContain("this runner has none of its own");
    expect(doc.reason).toContain("--kubeconfig");
  }, 60_000);
});
