import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { kubejobOn, skip, type Wanted } from "./bed.ts";

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
  const jobs = async () => (await node.kubectl(["get", "jobs,secrets,pods", "-o", "name"])).trim();

  test("runs to its end with its log, its outputs and its exit code, and leaves nothing in the cluster", async () => {
    const { status, outputs, log, bed, reason } = await work({
      script: 'echo "hello from $WHO"; echo "answer=42" >> "$RUNNER_OUTPUT"',
      block: { env_vars: { WHO: "a pod" } },
    });
    expect({ status, reason }).toEqual({ status: "finished", reason: "" });
    expect(log).toContain("hello from a pod\n");
    expect(outputs).toEqual({ answer: "42" });
    expect(bed.steps).toEqual([{ name: "job", id: undefined, status: "finished", code: 0 }]);
    expect(await jobs()).toBe("");
    bed.dispose();
  }, 60_000);

  test("that fails gives the container's own exit code", async () => {
    const { status, reason, bed, log } = await work({ script: "echo before; exit 7" });
    expect({ status, reason }).toEqual({ status: "failed", reason: 'container "main" exited with 7' });
    expect(bed.steps[0]?.code).toBe(7);
    expect(log).toContain("before\n");
    expect(await jobs()).toBe("");
  }, 60_000);
});
