import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KubeTarget, readKubeconfig } from "../../../internal/kit/kube/index.ts";
import { RunnerError } from "../../../internal/protocol/errors.ts";
import type { ClusterInfo } from "../../../internal/protocol/nuon/plans.ts";
import { NO_CLUSTER } from "../../../internal/runner/handler.ts";
import { type KubeJob, kubeAccess } from "../../../internal/runner/handlers/kube/access.ts";
import { kubeconfigFile } from "../../../internal/runner/handlers/kube/kubeconfig-file.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "runner-access-"));
  folders.push(made);
  return made;
}

function job(kube: Partial<KubeJob["kube"]> = {}) {
  const root = folder();
  const secrets: string[] = [];
  const ctx: KubeJob = {
    kube: { ...NO_CLUSTER, ...kube },
    cloud: { env: {} },
    execution: { id: "runtest", epoch: 1 },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    secrets: { register: (...values) => void secrets.push(...values.filter((one) => typeof one === "string")) },
    workspace: { root, path: (...parts) => join(root, ...parts) },
  };
  return { ctx, secrets, root };
}

const config = (user: unknown, server = "https://127.0.0.1:1") =>
  JSON.stringify({
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "shop" } }],
    "current-context": "x",
  });

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof RunnerError) return error;
  throw new Error("not refused");
}

describe("the cluster of a job", () => {
  test("is the plan's, else the runner's file, else the one it is a pod of", async () => {
    const file = join(folder(), "own");
    writeFileSync(file, config({ token: "own-token" }, "https://own.test"));
    const pod: KubeTarget = {
      server: "https://pod.test",
      ca: null,
      tlsServerName: null,
      insecure: false,
      proxyUrl: null,
      namespace: "default",
      credential: { kind: "none" },
    };
    const plan: ClusterInfo = { kube_config: config({ token: "plan-token" }, "https://plan.test") };
    const { ctx } = job({ kubeconfig: file, pod: () => pod });
    expect((await kubeAccess(ctx, plan)).target.server).toBe("https://plan.test");
    expect((await kubeAccess(ctx, {})).target.server).toBe("https://own.test");
    expect((await kubeAccess(job({ pod: () => pod }).ctx, null)).target.server).toBe("https://pod.test");
  });

  test.each<[string, Partial<KubeJob["kube"]>, ClusterInfo | null, string, string]>([
    ["no cluster at all", {}, null, "names no cluster", "--kubeconfig"],
    ["a file that is not there", { kubeconfig: "/nonexistent/config" }, null, "cannot be read", "--kubeconfig"],
    [
      "a plan's file reference",
      {},
      { kube_config: config({ tokenFile: "/etc/shadow" }) },
      "tokenFile names a file",
      "--flatten",
    ],
    [
      "a plan's program",
      {},
      { kube_config: config({ exec: { command: "sh" } }) },
      "running sh is not allowed",
      "--kube-exec",
    ],
    ["an endpoint without TLS", {}, { id: "c", endpoint: "http://c.test" }, "no https address", ""],
    [
      "an authority that is none",
      {},
      { id: "c", endpoint: "https://c.test", ca_data: "eHg=" },
      "is no certificate",
      "",
    ],
    ["an endpoint without a way to it", {}, { endpoint: "https://c.test" }, "neither a kubeconfig nor", ""],
  ])("is refused with what to do: %s", async (_, kube, info, message, remedy) => {
    const error = await refusal(kubeAccess(job(kube).ctx, info));
    expect(error.message).toContain(message);
    expect(error.remedy ?? "").toContain(remedy);
  });

  test("lets a plan's program run where the operator allows it", async () => {
    const status = { token: "minted-token" };
    const spawnForJobs = async () => JSON.stringify({ status });
    const { ctx, secrets } = job({ spawnForJobs });
    const { target } = await kubeAccess(ctx, { kube_config: config({ exec: { command: "mint" } }) });
    expect(target.credential.kind === "token" && (await target.credential.token())).toBe("minted-token");
    expect(secrets).toContain("minted-token");
  });
});

describe("the kubeconfig of a job's programs", () => {
  test("lies in the workspace for the runner's user alone, with its token in a file of its own", async () => {
    const { ctx, root } = job();
    const file = await (await kubeAccess(ctx, { kube_config: config({ token: "canary-token" }) })).kubeconfig();
    expect(file).toStartWith(`${root}/`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).not.toContain("canary");
    const read = readKubeconfig(readFileSync(file, "utf8"), { folder: root, spawn: null });
    if (!read.ok || read.value.credential.kind !== "token") throw new Error("no token");
    expect(read.value.namespace).toBe("shop");
    expect(await read.value.credential.token()).toBe("canary-token");
  });

  test("has a fresh token for as long as the workspace is there", async () => {
    const { ctx, root } = job();
    let minted = 0;
    const token = () => Promise.resolve(`token ${++minted}`);
    const read = readKubeconfig(config({ token: "x" }), { folder: null, spawn: null });
    if (!read.ok) throw read.error;
    await kubeconfigFile(ctx, { ...read.value, credential: { kind: "token", token } }, 5)();
    const file = join(root, "kube", "token");
    while (readFileSync(file, "utf8") === "token 1") await Bun.sleep(5);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    rmSync(root, { recursive: true });
    const asked = minted;
    await Bun.sleep(50);
    expect(minted).toBeLessThanOrEqual(asked + 1);
    expect(existsSync(root)).toBe(false);
  });
});
