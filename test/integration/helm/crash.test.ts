import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import {
  addRunner,
  type Control,
  cleanAfter,
  outcomes,
  type RunnerHandle,
  startControl,
} from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { chartOf, HELMS, skip } from "./bed.ts";

setDefaultTimeout(120_000);
const CANARY = "helm-canary-71c0de";

let node: KubeNode;
beforeAll(async () => {
  if (!skip) node = await startNode();
});
afterAll(() => node?.end());

describe.skipIf(skip).each([...HELMS])("a helm job by %s", (helm) => {
  let bed: Bed;
  let control: Control;
  let runner: RunnerHandle;
  let space: string;
  let count = 0;

  beforeEach(async () => {
    bed = makeBed();
    space = `crash-${helm}-${count++}`;
    mkdirSync(bed.path("bin"));
    symlinkSync(goProgram(helm) ?? "helm", bed.path("bin/helm"));
    // Ready once a ConfigMap `gate` is there: the test decides when.
    const deployment = readFileSync(`${chartOf()}/templates/deployment.yaml`, "utf8");
    const gated = deployment.replace(
      "command: [sleep, infinity]",
      "command: [sleep, infinity], env: [{ name: G, valueFrom: { configMapKeyRef: { name: gate, key: g } } }]",
    );
    cpSync(chartOf({ "templates/deployment.yaml": gated }), bed.path("chart"), { recursive: true });
    control = await startControl(bed);
    runner = await addRunner(bed, control, { env: env() });
  });
  afterEach(() => bed.end());

  const env = () => ({ PATH: `${bed.path("bin")}:${process.env.PATH ?? ""}`, RUNNER_KUBECONFIG: node.kubeconfig });
  const submit = (more: object = {}, spec: object = {}) => {
    const set = { password: { env: "CANARY" } };
    const job = {
      type: "helm-chart-deploy",
      ...more,
      spec: { source: { path: "chart" }, release: "web", namespace: space, set, ...spec },
    };
    writeFileSync(bed.path("job.yaml"), JSON.stringify(job));
    return control.submit(bed.path("job.yaml"), undefined, { CANARY });
  };
  const status = () =>
    node
      .kubectl([
        "-n",
        space,
        "get",
        "secret",
        "-l",
        "owner=helm,name=web",
        "-o",
        "jsonpath={.items[-1:].metadata.labels.status}",
      ])
      .catch(() => "");
  const waiting = () => until("helm waits", async () => (await status()) === "pending-install", 60_000);
  const open = () => node.kubectl(["-n", space, "create", "configmap", "gate", "--from-literal=g=1"]);
  /** Programs of helm below the bed. */
  const helms = () =>
    readdirSync("/proc").filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return line.startsWith(bed.path("bin/helm")) && line.includes("--labels");
      } catch {
        return false;
      }
    });

  test("whose runner is killed with SIGKILL goes on with the helm that runs, and ends once", async () => {
    const id = await submit();
    await waiting();
    const [alive] = helms();
    await runner.proc.kill9();
    expect(helms()).toEqual([alive ?? ""]);
    runner.proc = runner.start(env());
    await until("the runner is back", async () => (await control.runners())[0]?.contact === "online");
    expect(helms()).toEqual([alive ?? ""]);
    await open();
    const doc = await control.ended(id, 90_000);
    expect([doc.status, doc.reason, outcomes(doc)]).toEqual(["finished", "", ["finished"]]);
    expect(await node.kubectl(["-n", space, "get", "secret", "-l", "owner=helm", "-o", "name"])).toBe(
      "secret/sh.helm.release.v1.web.v1\n",
    );
    await cleanAfter(bed, control, runner, [CANARY]);
  });

  test("whose helm is killed with the runner fails, and its revision is not left pending", async () => {
    const id = await submit();
    await waiting();
    const victims = helms();
    await runner.proc.kill9();
    for (const pid of victims) process.kill(Number(pid), "SIGKILL");
    expect(await status()).toBe("pending-install");
    runner.proc = runner.start(env());
    const doc = await control.ended(id, 90_000);
    expect(doc.status).toBe("failed");
    expect(await status()).toBe("failed");
    await open();
    const next = await control.ended(await submit(), 90_000);
    expect([next.status, next.reason]).toEqual(["finished", ""]);
    await cleanAfter(bed, control, runner, [CANARY]);
  });

  const stops: [string, object, (id: string) => Promise<unknown>, string][] = [
    ["cancelled", {}, (id) => control.post(`/jobs/${id}/cancel`), "cancelled"],
    ["out of time", { timeout: "12s" }, () => Promise.resolve(), "timed-out|failed"],
  ];
  test.each(stops)(
    "that is %s in mid-wait leaves no pending revision and no process",
    async (_what, more, stop, ended) => {
      const id = await submit(more);
      await waiting();
      await stop(id);
      const doc = await control.ended(id, 90_000);
      expect(doc.status).toMatch(new RegExp(`^(${ended})$`));
      expect(await status()).toBe("failed");
      expect(helms()).toEqual([]);
      await cleanAfter(bed, control, runner, [CANARY]);
    },
  );

  test("kept at the coordinator is repaired after kill -9, upgraded, rolled back and uninstalled", async () => {
    /** Revisions of the release, as the coordinator has them. */
    const revisions = () => {
      const db = new Database(bed.path("coordinator", "coordinator.db"), { readonly: true });
      try {
        return db.query("SELECT version || ' ' || status AS one FROM helm_releases ORDER BY version").values().flat();
      } finally {
        db.close();
      }
    };
    const change = async (spec: object, more: object = {}) => {
      const doc = await control.ended(await submit(more, { storage: "nuon", ...spec }), 90_000);
      return [doc.status, doc.reason];
    };
    const first = await submit({}, { storage: "nuon", wait_timeout: "12s" });
    await until("helm waits", async () => revisions().includes("1 pending-install"), 60_000);
    await runner.proc.kill9();
    // Its way to the cluster and to its records went with the runner.
    await until("helm gives up", async () => helms().length === 0, 60_000);
    runner.proc = runner.start(env());
    const lost = await control.ended(first, 90_000);
    expect([lost.status, outcomes(lost)]).toEqual(["failed", ["failed"]]);
    expect(lost.reason).toContain("helm install failed: it lost its release store when the runner was restarted");
    expect(revisions()).toEqual(["1 failed"]);

    await open();
    expect(await change({ values: { greeting: "two" } })).toEqual(["finished", ""]);
    expect(revisions()).toEqual(["1 superseded", "2 deployed"]);

    const vain = { values: { image: "localhost/none:1" }, wait_timeout: "5s", rollback_on_failure: true };
    expect(await change(vain)).toEqual(["failed", expect.stringContaining("helm upgrade failed")]);
    expect(revisions()).toEqual(["1 superseded", "2 superseded", "3 failed", "4 deployed"]);
    const greeting = ["-n", space, "get", "configmap", "web-map", "-o", "jsonpath={.data.greeting}"];
    expect(await node.kubectl(greeting)).toBe("two");

    expect(await change({}, { operation: "destroy" })).toEqual(["finished", ""]);
    expect(revisions()).toEqual([]);
    expect(await node.kubectl(["-n", space, "get", "deploy,secret", "-o", "name"])).toBe("");
    await cleanAfter(bed, control, runner, [CANARY]);
  });

  test("waits for approval with a diff that hides Secrets, and an approved plan is applied", async () => {
    await node.kubectl(["create", "namespace", space]);
    await open();
    const id = await submit({ approval: "required" });
    const doc = await until(
      "it waits",
      async () => {
        const now = await control.show(id);
        return now.status === "approval-awaiting" ? now : null;
      },
      60_000,
    );
    expect(doc.diff).toContain(`+ Secret ${space}/web-secret (v1) will be added`);
    expect(doc.diff).toContain("Plan: 3 to add, 0 to change, 0 to remove.");
    expect(JSON.stringify(doc)).not.toContain(CANARY);
    expect((await control.post(`/jobs/${id}/approve`)).status).toBe(200);
    const end = await control.ended(id, 90_000);
    expect([end.status, end.reason]).toEqual(["finished", ""]);
    const again = await control.ended(await submit(), 90_000);
    expect([again.status, again.reason]).toEqual(["finished", "no changes"]);
    await cleanAfter(bed, control, runner, [CANARY]);
  });
});
