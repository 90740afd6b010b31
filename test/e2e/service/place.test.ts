import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { makeBed } from "../../faults/lib/processes.ts";

/** Answers as the metadata of a task do. */
const metadata = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({ Cluster: "c" }) });
const bed = makeBed();
afterAll(async () => {
  await metadata.stop(true);
  await bed.end();
});

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly text: string;
  readonly remedy: string | null;
}

async function finding(check: string, env: Record<string, string>, ...args: string[]): Promise<Finding | undefined> {
  const quiet = { PATH: "/nonexistent", RUNNER_TOOLS_MIRROR: "http://127.0.0.1:1" };
  const { stdout } = await bed.run(["doctor", "--json", ...args], { ...quiet, ...env });
  const found: Finding[] = JSON.parse(stdout).findings;
  return found.find((one) => one.check === check);
}

const POD = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "1" };
const task = (port: number) => ({ ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${port}/v4/id` });

test("it says where it finds itself: a pod, a task of ECS, a container or a machine", async () => {
  const place = async (env: Record<string, string>) => (await finding("place", env))?.text;
  expect(await place(POD)).toBe("a pod of Kubernetes");
  expect(await place(task(1))).toBe("a task of ECS");
  expect(await place({})).toMatch(/^a (machine|container of (podman|docker))/);
});

test("in a pod: a state directory in the container's own layer is told; on a volume it is well", async () => {
  const layer = await finding("state volume", POD, "--state-dir", "/none-such/state");
  expect(layer).toMatchObject({ status: "warning", text: expect.stringContaining("the container's own layer") });
  expect(layer?.remedy).toContain("--state-dir");
  const volume = await finding("state volume", POD, "--state-dir", "/dev/shm/runner-none-such");
  expect(volume).toMatchObject({ status: "ok" });
});

test("in a pod without a token of its service account a kubeconfig does", async () => {
  const without = await finding("service account", POD);
  expect(without).toMatchObject({ status: "warning", remedy: expect.stringContaining("or give --kubeconfig") });
  writeFileSync(bed.path("kubeconfig"), "apiVersion: v1\nkind: Config\nclusters: []\n");
  expect(await finding("service account", POD, "--kubeconfig", bed.path("kubeconfig"))).toMatchObject({ status: "ok" });
});

test("in a task of ECS: metadata that do not answer, then no role, then well", async () => {
  const silent = await finding("ECS task", task(1));
  expect(silent).toMatchObject({ status: "failed", remedy: expect.stringContaining("169.254.170.2") });
  const here = task(metadata.port ?? 0);
  expect(await finding("ECS task", here)).toMatchObject({
    status: "warning",
    remedy: expect.stringContaining("taskRoleArn"),
  });
  const role = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/x" };
  expect(await finding("ECS task", { ...here, ...role })).toMatchObject({ status: "ok" });
});
