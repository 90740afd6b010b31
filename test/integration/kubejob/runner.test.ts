import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { addRunner, type Control, startControl } from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { skip } from "./bed.ts";

const CANARY = "canary-91bd77e0";
const EXAMPLE = join(import.meta.dir, "../../../examples/job-deploy/job.yaml");

describe.skipIf(skip)("a Kubernetes Job of a coordinator and a runner in processes of their own", () => {
  let node: KubeNode;
  let bed: Bed;
  let control: Control;
  beforeAll(async () => {
    node = await startNode();
  }, 120_000);
  afterAll(async () => {
    await node?.end();
  }, 60_000);
  beforeEach(async () => {
    bed = makeBed();
    control = await startControl(bed);
  }, 30_000);
  afterEach(async () => {
    await bed.end();
  });

  const left = async () => (await node.kubectl(["get", "jobs,pods,secrets", "-l", "runner/job", "-o", "name"])).trim();
  const env = (more: Record<string, string> = {}) => ({ env: { RUNNER_KUBECONFIG: node.kubeconfig, ...more } });
  const job = (script: string, more: Record<string, unknown> = {}) => {
    const file = bed.path("job.json");
    const spec = { image: "localhost/bb:1", pull_policy: "Never", command: ["sh", "-c", script], grace: "1s", ...more };
    writeFileSync(file, JSON.stringify({ type: "job-deploy", name: "report", spec }));
    return file;
  };
  const begun = "for i in $(seq 1 30); do echo line $i; sleep 0.1; done; echo answer=42 > $RUNNER_OUTPUT";

  for (const step of ["fetch", "execute", "outputs", "report", "cleanup"]) {
    test(`ends once when the runner is killed at ${step}, with its work done once`, async () => {
      const runner = await addRunner(bed, control, env({ RUNNER_FAILPOINT: `runner.${step}` }));
      const id = await control.submit(job("echo once; echo answer=42 > $RUNNER_OUTPUT"));
      expect(await runner.proc.exited).toBe(137);
      runner.proc = runner.start({ RUNNER_KUBECONFIG: node.kubeconfig });
      const doc = await control.ended(id);
      expect({ status: doc.status, reason: doc.reason, outputs: doc.outputs }).toEqual({
        status: "finished",
        reason: "",
        outputs: { answer: "42" },
      });
      expect((await control.log(id)).match(/^.*once$/gm)).toHaveLength(1);
      expect(await left()).toBe("");
    }, 90_000);
  }

  test("works on while the runner is dead, and every line of its log is there once", async () => {
    const runner = await addRunner(bed, control, env());
    const id = await control.submit(job(begun));
    await until("it works", async () => (await control.log(id)).includes("line 8"));
    await runner.proc.kill9();
    await Bun.sleep(500);
    runner.proc = runner.start({ RUNNER_KUBECONFIG: node.kubeconfig });
    const doc = await control.ended(id);
    expect({ status: doc.status, outputs: doc.outputs }).toEqual({ status: "finished", outputs: { answer: "42" } });
    const log = await control.log(id);
    for (let n = 1; n <= 30; n++)
      expect({ n, times: log.split("\n").filter((line) => line.endsWith(`line ${n}`)).length }).toEqual({
        n,
        times: 1,
      });
    expect(await left()).toBe("");
  }, 90_000);

  test("shows its secrets nowhere: not in the log, the reason, the cluster, or on disk", async () => {
    const runner = await addRunner(bed, control, env());
    const file = job('echo "it is $TOKEN"; sleep 1; exit 3', { env: { TOKEN: { env: "CANARY" } } });
    const id = await control.submit(file, undefined, { CANARY });
    const seen = until("it works", async () => (await control.log(id)).includes("it is"));
    await seen;
    expect(await node.kubectl(["get", "jobs,pods,events", "-o", "json"])).not.toContain(CANARY);
    const doc = await control.ended(id);
    expect(doc.reason).toContain('container "main" exited with 3');
    expect(doc.executions[0]?.steps[0]).toMatchObject({ name: "job", status: "error", exit_code: 3 });
    expect(await control.log(id)).not.toContain(CANARY);
    expect(await left()).toBe("");
    const found = Bun.spawnSync(["grep", "-rlF", CANARY, runner.stateDir]);
    expect(found.stdout.toString()).toBe("");
  }, 90_000);

  test("that is cancelled or runs too long is removed from the cluster", async () => {
    await addRunner(bed, control, env());
    const id = await control.submit(job("echo working; sleep 600"));
    await until("it works", async () => (await control.log(id)).includes("working"));
    expect((await control.post(`/jobs/${id}/cancel`, { reason: "no more" })).ok).toBe(true);
    expect((await control.ended(id)).status).toBe("cancelled");
    expect(await left()).toBe("");
    const document: unknown = JSON.parse(await Bun.file(job("echo working; sleep 600")).text());
    writeFileSync(bed.path("short.json"), JSON.stringify({ ...(document as object), timeout: "4s" }));
    const short = await control.ended(await control.submit(bed.path("short.json")));
    expect(short.status).toBe("timed-out");
    expect(await left()).toBe("");
  }, 90_000);

  test("of the examples runs with run-local", async () => {
    const { code, stdout, stderr } = await bed.run(["run-local", EXAMPLE, "--json"], env().env);
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      status: "finished",
      outputs: { answer: "42" },
      steps: [{ name: "job", status: "finished", exit_code: 0 }],
    });
    expect(stderr).toContain("hello from a pod");
  }, 60_000);
});
