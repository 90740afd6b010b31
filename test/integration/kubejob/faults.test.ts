import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { StopError, type StopReason } from "../../../internal/runner/handler.ts";
import { type KubeNode, startNode } from "../../bed/node/node.ts";
import { kubejobOn, skip, type Wanted } from "./bed.ts";

const AWAY = JSON.stringify({
  clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "u", user: { token: "t" } }],
  contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
  "current-context": "x",
});

/** Every way a Job can go wrong: what is asked for, and the one line a person gets. */
const FAULTS: readonly (readonly [string, Wanted, string | RegExp, string])[] = [
  [
    "an image that cannot be pulled",
    { container: { image: "127.0.0.1:1/no/such:1", imagePullPolicy: "Always" }, block: { start_timeout: 3e9 } },
    'the image 127.0.0.1:1/no/such:1 of container "main" cannot be had',
    "pull_secrets",
  ],
  [
    "an image that is not on the node and may not be pulled",
    { container: { image: "localhost/absent:1" } },
    "(ErrImageNeverPull)",
    "another pull_policy than Never",
  ],
  ["a name that is no image", { container: { image: "UPPER CASE" } }, "(InvalidImageName)", "host/repository:tag"],
  [
    "more than any node has",
    { container: { resources: { requests: { cpu: "900" } } }, block: { start_timeout: 2e9 } },
    "no node can take the pod: 0/1 nodes are available: 1 Insufficient cpu",
    "Ask for less",
  ],
  [
    "a program that the image does not have",
    { container: { command: ["/no/such/program"] } },
    'container "main" could not be started',
    "Check the command",
  ],
  [
    "a Secret that is not there",
    { container: { envFrom: [{ secretRef: { name: "absent" } }] }, block: { start_timeout: 2e9 } },
    'secret "absent" not found',
    "Make the Secret",
  ],
  [
    "more memory than its limit",
    { script: "tail /dev/zero", container: { resources: { limits: { memory: "16Mi" } } } },
    /used more memory than its limit|as when memory is used up \(its limit is 16Mi\)/,
    "Raise the memory limit",
  ],
  [
    "a service account that is not there",
    { spec: { template: templateWith({ serviceAccountName: "absent" }) }, block: { start_timeout: 2e9 } },
    'serviceaccount "absent" not found',
    "Make the service account",
  ],
  [
    "a deadline of its own",
    { script: "sleep 60", spec: { activeDeadlineSeconds: 2 } },
    "ran longer than its deadline",
    "Raise the job's timeout",
  ],
  ["a signal", { script: "sh -c 'kill -9 $$$$'; exit $?" }, "exited with 137 (signal 9)", ""],
  ["a namespace that is not there", { block: { namespace: "absent" } }, 'namespaces "absent" not found', ""],
  ["a field that no Job has", { spec: { backofLimit: 1 } }, 'unknown field "spec.backofLimit"', ""],
  ["a quota that is used up", { block: { namespace: "full", start_timeout: 2e9 } }, "exceeded quota", "Free quota"],
  [
    "a cluster that does not answer",
    { block: { cluster_info: { kube_config: AWAY } } },
    "the cluster at https://127.0.0.1:1 cannot be reached",
    "network, proxy, firewall",
  ],
  ["no right to make Jobs", { user: "limited" }, 'User "limited" cannot', "RoleBinding"],
];

function templateWith(pod: Record<string, unknown>): Record<string, unknown> {
  const containers = [{ name: "main", image: "localhost/bb:1", imagePullPolicy: "Never", command: ["true"] }];
  return { spec: { restartPolicy: "Never", containers, ...pod } };
}

describe.skipIf(skip)("a Kubernetes Job that cannot do its work says why in one line", () => {
  let node: KubeNode;
  beforeAll(async () => {
    node = await startNode();
    await node.kubectl(["create", "namespace", "full"]);
    await node.kubectl(["create", "quota", "none", "--hard=pods=0", "-n", "full"]);
  }, 120_000);
  afterAll(async () => {
    await node?.end();
  }, 60_000);

  const left = async () =>
    (await node.kubectl(["get", "jobs,pods,secrets", "-A", "-l", "runner/job", "-o", "name"])).trim();

  test.concurrent.each(FAULTS)(
    "%s",
    async (_, wanted, reason, remedy) => {
      const bed = kubejobOn(node, { ...wanted, harness: { executionId: executionId() } });
      try {
        const outcome = await bed.run();
        expect(outcome.status).toBe("failed");
        if (typeof reason === "string") expect(outcome.reason).toContain(reason);
        else expect(outcome.reason).toMatch(reason);
        expect(outcome.reason).not.toContain("\n");
        expect(outcome.remedy ?? "").toContain(remedy);
        expect(outcome.cleanupError).toBeNull();
      } finally {
        bed.dispose();
      }
    },
    90_000,
  );

  test("and leaves nothing behind", async () => {
    expect(await left()).toBe("");
  });

  test("that is cancelled is removed with its pods after what they still say", async () => {
    const stop = new AbortController();
    const script = 'trap "echo going down; exit 0" TERM; echo working; while :; do sleep 0.1; done';
    const bed = kubejobOn(node, { script, harness: { signal: stop.signal, executionId: executionId() } });
    const ctx = bed.context();
    const work = bed.handler.execute(ctx);
    while (!bed.log().includes("working\n")) await Bun.sleep(50);
    const reason: StopReason = { kind: "cancelled", why: "a person asked" };
    stop.abort(reason);
    await expect(work).rejects.toBeInstanceOf(StopError);
    expect(bed.log()).toContain("going down\n");
    await bed.handler.cleanup?.(bed.context());
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("that is cancelled while it waits for its image is removed at once", async () => {
    const stop = new AbortController();
    const container = { image: "127.0.0.1:1/no/such:1", imagePullPolicy: "Always" };
    const bed = kubejobOn(node, {
      container,
      block: { start_timeout: 60e9 },
      harness: { signal: stop.signal, executionId: executionId() },
    });
    const work = bed.handler.execute(bed.context());
    while (!bed.log().includes("cannot be had")) await Bun.sleep(50);
    stop.abort({ kind: "timed-out", why: "its time is over" } satisfies StopReason);
    await expect(work).rejects.toBeInstanceOf(StopError);
    await bed.handler.cleanup?.(bed.context());
    expect(await left()).toBe("");
    bed.dispose();
  }, 60_000);

  test("that somebody deletes says so", async () => {
    const bed = kubejobOn(node, { script: "echo working; sleep 60", harness: { executionId: executionId() } });
    const work = bed.run();
    while (!bed.log().includes("working\n")) await Bun.sleep(50);
    await node.kubectl(["delete", "jobs", "-l", "runner/job", "--wait=false"]);
    const { reason } = await work;
    expect(reason).toContain("was deleted while the runner waited");
    bed.dispose();
  }, 60_000);
});

let made = 0;
function executionId(): string {
  made += 1;
  return `runfault${made}`;
}
