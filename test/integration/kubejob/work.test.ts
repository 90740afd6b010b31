import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { startCutProxy } from "../../lib/cut-proxy.ts";
import { kubejobOn, skip, type Wanted } from "./bed.ts";

/** A line every tenth of a second, numbered, so that a missing or doubled one shows. */
const COUNTS = "for i in $(seq 1 60); do echo line $i; sleep 0.1; done";
const COUNTED = `${Array.from({ length: 60 }, (_, n) => `line ${n + 1}`).join("\n")}\n`;
const lines = (log: string) =>
  `${log
    .split("\n")
    .filter((line) => line.startsWith("line "))
    .join("\n")}\n`;

describe.skipIf(skip)("a Kubernetes Job", () => {
  let node: KubeNode;
  beforeAll(async () => {
    node = await startNode();
  }, 120_000);
  afterAll(async () => {
    await node?.end();
  }, 60_000);

  const work = async (wanted: Wanted) => {
    const bed = kubejobOn(node, wanted);
    const outcome = await bed.run();
    return { ...outcome, bed, log: bed.log() };
  };
  const left = async () => (await node.kubectl(["get", "jobs,secrets,pods", "-o", "name"])).trim();
  const started = async (bed: ReturnType<typeof kubejobOn>, words: string) => {
    while (!bed.log().includes(words)) await Bun.sleep(20);
  };

  test("runs to its end with its log, its outputs and its exit code, and leaves nothing in the cluster", async () => {
    const { status, outputs, log, bed, reason } = await work({
      script: 'echo "hello from $WHO"; echo "answer=42" >> "$RUNNER_OUTPUT"',
      block: { env_vars: { WHO: "a pod $(HOME) $$" } },
    });
    expect({ status, reason }).toEqual({ status: "finished", reason: "" });
    expect(log).toContain("hello from a pod $(HOME) $$\n");
    expect(outputs).toEqual({ answer: "42" });
    expect(bed.steps).toEqual([{ name: "job", id: undefined, status: "finished", code: 0 }]);
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("that fails gives the container's own exit code, and its log to the last line", async () => {
    const { status, reason, bed, log } = await work({ script: "echo before; printf 'no newline'; exit 7" });
    expect({ status, reason }).toEqual({ status: "failed", reason: 'container "main" exited with 7' });
    expect(bed.steps[0]?.code).toBe(7);
    expect(log).toContain("before\nno newline\n");
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("is found again by a runner that was killed, and no line of its log is missing or doubled", async () => {
    const crash = new AbortController();
    const bed = kubejobOn(node, { script: COUNTS, harness: { signal: crash.signal } });
    const first = bed.handler.execute(bed.context());
    await started(bed, "line 15\n");
    crash.abort({ kind: "abandoned", why: "killed" });
    await first.catch(() => {});
    await Bun.sleep(1_000);
    const again = { ...bed.context(), signal: new AbortController().signal };
    await bed.handler.execute(again);
    await bed.handler.cleanup?.(again);
    expect(bed.log()).toContain("found the Kubernetes Job default/my-job-runtest-1 again");
    expect(lines(bed.log())).toBe(COUNTED);
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("goes on when the way to the cluster is cut, and no line of its log is missing or doubled", async () => {
    const proxy = await startCutProxy(node.server);
    try {
      const config = node.configFor("admin").replaceAll(node.server, proxy.url.replace("http:", "https:"));
      const bed = kubejobOn(node, { script: COUNTS, block: { cluster_info: { kube_config: config } } });
      const running = bed.run();
      for (const at of [8, 20, 33]) {
        await started(bed, `line ${at}\n`);
        expect(proxy.cut()).toBeGreaterThan(0);
      }
      const { reason } = await running;
      expect(reason).toBe("");
      expect(lines(bed.log())).toBe(COUNTED);
      bed.dispose();
    } finally {
      proxy.stop();
    }
  }, 60_000);

  test("gets its secrets by a Secret that goes with it, and shows them nowhere else", async () => {
    const bed = kubejobOn(node, {
      script: 'echo $(printf %s "$TOKEN" | wc -c) characters; sleep 2',
      block: { secret_env_vars: { TOKEN: "canary-7f3a" } },
    });
    const running = bed.run();
    await started(bed, "11 characters");
    expect(await node.kubectl(["get", "jobs,pods", "-o", "json"])).not.toContain("canary");
    const owner = await node.kubectl(["get", "secrets", "-o", "jsonpath={.items[*].metadata.ownerReferences[*].kind}"]);
    expect(owner).toBe("Job");
    expect(bed.secrets).toContain("canary-7f3a");
    expect((await running).reason).toBe("");
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("shows init containers and several containers by name", async () => {
    const one = (name: string, script: string) => ({
      name,
      image: "localhost/bb:1",
      imagePullPolicy: "Never",
      command: ["/bin/sh", "-c", script],
    });
    const spec = {
      restartPolicy: "Never",
      initContainers: [one("prepare", "echo preparing")],
      containers: [one("main", "echo working"), one("beside", "echo helping")],
    };
    const { log, reason } = await work({ spec: { template: { spec } } });
    expect(reason).toBe("");
    for (const line of ["[prepare] preparing\n", "[main] working\n", "[beside] helping\n"]) expect(log).toContain(line);
    expect(log.indexOf("preparing")).toBeLessThan(log.indexOf("working"));
  }, 60_000);

  test("tries as many pods as it may, and says of each how it ended", async () => {
    const { log, reason } = await work({ script: "echo a try; exit 3", spec: { backoffLimit: 1 } });
    expect(reason).toBe('container "main" exited with 3 (the last of 2 pods)');
    expect(log.match(/^a try$/gm)).toHaveLength(2);
    expect(log.match(/pod \S+: container "main" exited with 3/g)).toHaveLength(2);
  }, 90_000);

  test("stays for a time when it is asked to, and then goes by itself", async () => {
    const { log, reason, bed } = await work({
      script: "echo kept",
      block: { keep: 2e9, secret_env_vars: { KEY: "x1y2z3" } },
    });
    expect(reason).toBe("");
    expect(log).toContain("stays for 2 s");
    const deadline = performance.now() + 30_000;
    while ((await left()) !== "" && performance.now() < deadline) await Bun.sleep(200);
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("ends the Job of an older attempt first, so that two never work at once", async () => {
    const crash = new AbortController();
    const older = kubejobOn(node, {
      script: "echo older; sleep 60",
      harness: { signal: crash.signal, executionId: "runolder" },
    });
    const lost = older.handler.execute(older.context());
    await started(older, "older\n");
    crash.abort({ kind: "abandoned", why: "lost" });
    await lost.catch(() => {});
    const { reason, log } = await work({ script: "echo newer", harness: { executionId: "runnewer" } });
    expect(reason).toBe("");
    expect(log).toContain("ending the Kubernetes Job my-job-runolder-1 of an older attempt");
    expect(await left()).toBe("");
  }, 60_000);

  test("of a Nuon plan, which describes none, is warned about and done", async () => {
    const bed = kubejobOn(node, { harness: { plan: { install_id: "inl1", component_name: "job" } } });
    const { status, outputs } = await bed.run();
    expect({ status, outputs }).toEqual({ status: "finished", outputs: {} });
    expect(bed.log()).toContain("describes no Kubernetes Job");
    bed.dispose();
  });
});
