import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { JobShow } from "../../../internal/protocol/operator.ts";
import { freePort, until } from "../../faults/lib/processes.ts";
import {
  type ClusterBed,
  COORDINATOR,
  giveToken,
  type Outside,
  outsideOf,
  RUNNER,
  SMALL,
  skip,
  startClusterBed,
  waiting,
} from "./bed.ts";

/** Of the coordinator: on the node's own network, for there is no proxy for Services here. */
const port = freePort();
const CONTROL = "control";
/** Of the runner: pods that are not as strict as can be are refused there. */
const RUNNERS = "runners";

const VALUES = z
  .object({ autoscaling: z.object({ keda: z.object({ query: z.string() }) }) })
  .parse(Bun.YAML.parse(readFileSync(join(RUNNER, "values.yaml"), "utf8")));

describe.skipIf(skip)("coordinator and runner installed by their charts", () => {
  let bed: ClusterBed;
  let outside: Outside;
  beforeAll(async () => {
    bed = await startClusterBed();
    await bed.namespace(CONTROL);
    await bed.namespace(RUNNERS, "restricted");
    await bed.volume(CONTROL, "coordinator");
    await bed.volume(RUNNERS, "state-runner-0");
  }, 600_000);
  afterAll(async () => {
    await bed?.end();
  }, 60_000);

  const coordinatorValues = () => ({
    ...SMALL,
    port,
    hostNetwork: true,
    tls: { extraNames: [bed.node.gateway] },
    data: { storageClass: "" },
    stopDelay: "1s",
  });
  const values = (more: object = {}) => ({
    ...SMALL,
    apiUrl: `https://${bed.node.gateway}:${port}`,
    ca: { existingConfigMap: "ca" },
    token: { existingSecret: "token" },
    state: { storageClass: "" },
    ...more,
  });
  const pod = async (): Promise<Record<"uid" | "deleted" | "restarts" | "image" | "container", string>> => {
    const path =
      "{.metadata.uid} {.metadata.deletionTimestamp} {.status.containerStatuses[0].restartCount} {.spec.containers[0].image} {.status.containerStatuses[0].containerID}";
    const text = await bed.node.kubectl(["get", "pod", "runner-0", "-n", RUNNERS, "-o", `jsonpath=${path}`]);
    const [uid = "", deleted = "", restarts = "", image = "", container = ""] = text.split(" ");
    return { uid, deleted, restarts, image, container };
  };
  const inRunner = (...argv: string[]) => bed.exec(RUNNERS, "runner-0", ...argv);
  const ownStatus = () => inRunner("wget", "-q", "-O", "-", "http://127.0.0.1:9464/status");
  const begun = async (go: string): Promise<string> => {
    const job = await outside.submit(waiting(go));
    await until("it has begun", async () => (await outside.log(job)).includes("begin"), 60_000);
    return job;
  };
  const done = (doc: JobShow) => ({
    status: doc.status,
    reason: doc.reason,
    answer: doc.outputs?.answer,
    executions: doc.executions.length,
  });
  const ONCE: ReturnType<typeof done> = { status: "finished", reason: "", answer: "42", executions: 1 };
  /** What a Prometheus would answer to the query of the chart's values, by what the coordinator tells it. */
  const queueDepth = async (): Promise<number> => {
    const { query } = VALUES.autoscaling.keda;
    const [, metric = "", label = "", unwanted = ""] = /^sum\((\w+)\{(\w+)!~"(.+)"\}\)$/.exec(query) ?? [];
    const sample = new RegExp(`^${metric}\\{.*${label}="(\\w*)".*\\} (\\d+)$`, "gm");
    const samples = [...(await outside.metrics()).matchAll(sample)];
    expect(samples).not.toEqual([]);
    const counted = samples.filter(([, value = ""]) => !new RegExp(`^(?:${unwanted})$`).test(value));
    return counted.reduce((sum, [, , n]) => sum + Number(n), 0);
  };
  const lines = async (job: string) => (await outside.log(job)).match(/^.*\b(begin|end)$/gm)?.length;

  test("the coordinator is up with a key and a certificate of its own", async () => {
    await bed.install("helm3", "coordinator", COORDINATOR, CONTROL, coordinatorValues());
    outside = await outsideOf(bed.node, CONTROL, "coordinator", `https://127.0.0.1:${port}`);
    expect(await outside.get<unknown[]>("/runners")).toEqual([]);
  }, 120_000);

  let id: string;
  test("the runner is ready once it has its session, in a namespace that takes none but strict pods", async () => {
    const made = await bed.exec(CONTROL, "deployment/coordinator", "runner", "runners", "create", "eu-1", "--json");
    const created = JSON.parse(made);
    id = created.id;
    await giveToken(bed, RUNNERS, created.token, outside.ca);
    await bed.install("helm4", "runner", RUNNER, RUNNERS, values({ runnerId: id }));
    expect(await outside.runner("eu-1")).toMatchObject({ contact: "online" });
    expect(await inRunner("id", "-u")).toBe("65532\n");
    expect(await inRunner("sh", "-c", "ls /var/run/secrets/kubernetes.io 2>&1 || true")).toContain("No such file");
    expect(await inRunner("sh", "-c", "touch /bin/x 2>&1 || true")).toContain("Read-only file system");
    expect(await inRunner("cat", "/proc/1/comm")).toBe("tini\n");
  }, 120_000);

  test("the image's own health check says the same as the probes, of a coordinator with TLS, too", async () => {
    const healthy = "/usr/local/lib/runner/healthy";
    expect(await inRunner(healthy)).toBe("");
    expect(await bed.exec(CONTROL, "deployment/coordinator", healthy)).toBe("");
    const nothingThere = inRunner("env", "RUNNER_HEALTH_LISTEN=127.0.0.1:9", "RUNNER_LISTEN=127.0.0.1:9", healthy);
    await expect(nothingThere).rejects.toThrow("exit code 1");
  }, 60_000);

  test("the image's `enrol` makes a runner known from a strict pod, and the runner beside it comes up", async () => {
    const key = await bed.exec(CONTROL, "deployment/coordinator", "cat", "/etc/runner/admin/admin.key");
    const metadata = { name: "enrolled", namespace: RUNNERS };
    await bed.apply({ apiVersion: "v1", kind: "Secret", metadata, stringData: { key } });
    const mount = (name: string, mountPath: string) => ({ name, mountPath });
    const container = {
      image: "localhost/runner:1",
      imagePullPolicy: "Never",
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
      volumeMounts: [mount("state", "/var/lib/runner"), mount("tmp", "/tmp"), mount("ca", "/etc/runner/ca")],
    };
    const url = `https://${bed.node.gateway}:${port}`;
    const ca = { name: "RUNNER_CA_FILE", value: "/etc/runner/ca/ca.crt" };
    const enrol = {
      ...container,
      name: "enrol",
      command: ["/usr/local/lib/runner/enrol", "enrolled", "/var/lib/runner"],
      env: [
        ca,
        { name: "RUNNER_COORDINATOR_URL", value: url },
        { name: "RUNNER_ADMIN_KEY", valueFrom: { secretKeyRef: { name: "enrolled", key: "key" } } },
      ],
    };
    const runner = {
      ...container,
      name: "runner",
      env: [
        ca,
        { name: "RUNNER_API_URL", value: url },
        { name: "RUNNER_CONFIG", value: "/var/lib/runner/runner.yaml" },
      ],
    };
    await bed.apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: {
        automountServiceAccountToken: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 65532,
          fsGroup: 65532,
          seccompProfile: { type: "RuntimeDefault" },
        },
        initContainers: [enrol],
        containers: [runner],
        volumes: [
          { name: "state", emptyDir: {} },
          { name: "tmp", emptyDir: {} },
          { name: "ca", configMap: { name: "ca" } },
        ],
      },
    });
    await until(
      "it is online",
      async () => (await outside.runner("enrolled").catch(() => null))?.contact === "online",
      60_000,
    );
    await bed.node.kubectl(["delete", "pod/enrolled", "secret/enrolled", "-n", RUNNERS]);
  }, 120_000);

  test("a runner that crashes in the pod takes its job up again, and nobody notices", async () => {
    const job = await begun("/tmp/one");
    const before = await pod();
    const old = (await inRunner("pidof", "runner")).trim();
    await inRunner("kill", "-9", ...old.split(" "));
    await until("another one runs", async () => {
      const now = (await inRunner("pidof", "runner").catch(() => "")).trim();
      return now !== "" && now !== old;
    });
    await inRunner("touch", "/tmp/one");
    expect(done(await outside.ended(job))).toEqual(ONCE);
    expect(await lines(job)).toBe(2);
    expect(await pod()).toEqual(before);
  }, 120_000);

  test("an upgrade lets the running job end before the pod goes, and the new pod is the same runner", async () => {
    const job = await begun("/tmp/two");
    const before = await pod();
    const { session } = await outside.runner("eu-1");
    const next = { ...values({ runnerId: id }), image: { ...SMALL.image, tag: "2" } };
    const upgrade = bed.install("helm3", "runner", RUNNER, RUNNERS, next);
    await until("the pod is asked to end", async () => (await pod()).deleted !== "", 60_000);
    await until("the runner drains", async () => (await ownStatus()).includes('"state":"draining"'), 60_000);
    expect((await outside.get<JobShow>(`/jobs/${job}`)).status).toBe("in-progress");
    expect((await pod()).uid).toBe(before.uid);
    await inRunner("touch", "/tmp/two");
    expect(done(await outside.ended(job))).toEqual(ONCE);
    await upgrade;
    expect(await pod()).toMatchObject({ deleted: "", image: "localhost/runner:2" });
    expect((await outside.runner("eu-1")).session).toMatchObject({ instance_id: session?.instance_id });
  }, 180_000);

  test("a container that is killed whole says so of its job, and goes on with the next", async () => {
    const job = await begun("/tmp/three");
    const before = await pod();
    bed.node.killContainer(before.container);
    await until("the container is there again", async () => (await pod()).restarts !== before.restarts, 60_000);
    const doc = await outside.ended(job);
    expect({ status: doc.status, reason: doc.reason }).toEqual({
      status: "failed",
      reason: expect.stringContaining("exit_code_lost"),
    });
    const next = await begun("/tmp/four");
    await inRunner("touch", "/tmp/four");
    expect(done(await outside.ended(next))).toEqual(ONCE);
  }, 180_000);

  test("an upgrade that changes nothing leaves both pods, the key and the certificate alone", async () => {
    const pods = () => bed.node.kubectl(["get", "pods", "-A", "-o", "jsonpath={.items[*].metadata.uid}"]);
    const before = await pods();
    await bed.install("helm4", "coordinator", COORDINATOR, CONTROL, coordinatorValues());
    const same = { ...values({ runnerId: id }), image: { ...SMALL.image, tag: "2" } };
    await bed.install("helm3", "runner", RUNNER, RUNNERS, same);
    expect(await pods()).toBe(before);
    expect((await outsideOf(bed.node, CONTROL, "coordinator", outside.url)).ca).toBe(outside.ca);
  }, 120_000);

  test("an upgrade of the coordinator leaves the running job alone, and its end is told once", async () => {
    const job = await begun("/tmp/five");
    await bed.install("helm3", "coordinator", COORDINATOR, CONTROL, {
      ...coordinatorValues(),
      image: { ...SMALL.image, tag: "2" },
    });
    await inRunner("touch", "/tmp/five");
    expect(done(await outside.ended(job))).toEqual(ONCE);
    expect(await lines(job)).toBe(2);
  }, 120_000);

  test("a runner whose token was rotated says so with code 3, and the new Secret and an upgrade mend it", async () => {
    const rotated = await bed.exec(CONTROL, "deployment/coordinator", "runner", "runners", "rotate", id, "--json");
    await bed.node.kubectl(["delete", "pod", "runner-0", "-n", RUNNERS]);
    const code = "jsonpath={.status.containerStatuses[0]..exitCode}";
    const ended = () => bed.node.kubectl(["get", "pod", "runner-0", "-n", RUNNERS, "-o", code]).catch(() => "");
    await until("the new pod has ended with 3", async () => /\b3\b/.test(await ended()), 60_000);
    await giveToken(bed, RUNNERS, JSON.parse(rotated).token, outside.ca);
    // Helm 4 gives up at once while it still sees the pod of before, which crashes (docs/install-kubernetes.md).
    await bed.install("helm3", "runner", RUNNER, RUNNERS, values({ runnerId: id }));
    expect(await outside.runner("eu-1")).toMatchObject({ contact: "online" });
  }, 180_000);

  test("replicas with an identity each are runners of their own, the queue's depth is there to scale by, and scaling in drains", async () => {
    const identities: Record<string, string> = {};
    let second = "";
    for (const n of ["0", "1"]) {
      const made = await bed.exec(CONTROL, "deployment/coordinator", "runner", "runners", "create", `p${n}`, "--json");
      const { id: runner, token } = JSON.parse(made);
      second = runner;
      identities[n] = `runner-id: ${runner}\napi-token: ${token}\n`;
    }
    const metadata = { name: "identities", namespace: RUNNERS };
    await bed.apply({ apiVersion: "v1", kind: "Secret", metadata, stringData: identities });
    const { token: _, ...rest } = values({ replicas: 2, identities: { existingSecret: "identities" } });
    await bed.install("helm3", "pair", RUNNER, RUNNERS, { ...rest, state: { kind: "emptyDir" } });
    for (const name of ["p0", "p1"]) expect(await outside.runner(name)).toMatchObject({ contact: "online" });

    expect(await queueDepth()).toBe(0);
    const job = await outside.submit(waiting("/tmp/six"), second);
    const unfit = { ...waiting("/tmp/none"), requires: { labels: { nobody: "has-it" } } };
    await outside.submit(unfit);
    await until("it has begun", async () => (await outside.log(job)).includes("begin"), 60_000);
    expect(await queueDepth()).toBe(1);
    const last = () => bed.node.kubectl(["get", "pod", "pair-runner-1", "-n", RUNNERS, "--ignore-not-found"]);
    await bed.node.kubectl(["scale", "statefulset", "pair-runner", "-n", RUNNERS, "--replicas=1"]);
    await until("the one too many drains", async () => /Terminating/.test(await last()), 60_000);
    expect((await outside.get<JobShow>(`/jobs/${job}`)).status).toBe("in-progress");
    await bed.exec(RUNNERS, "pair-runner-1", "touch", "/tmp/six");
    expect(done(await outside.ended(job))).toEqual(ONCE);
    await until("its pod is gone", async () => (await last()) === "", 60_000);
    expect(await queueDepth()).toBe(0);
    await bed.uninstall("helm3", "pair", RUNNERS);
  }, 180_000);

  test("uninstalling leaves the claims and what was there before, and another install finds its data", async () => {
    const kinds =
      "statefulsets,deployments,pods,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,persistentvolumeclaims";
    const left = async (namespace: string) => {
      const names = await bed.node.kubectl(["get", kinds, "-n", namespace, "-o", "name"]);
      return names.split("\n").filter((name) => name !== "" && !/kube-root-ca.crt|serviceaccount\/default/.test(name));
    };
    await bed.uninstall("helm4", "runner", RUNNERS);
    await bed.uninstall("helm3", "coordinator", CONTROL);
    await until("the pods are gone", async () => !(await left(CONTROL)).some((name) => name.startsWith("pod/")));
    expect(await left(RUNNERS)).toEqual([
      "configmap/ca",
      "secret/identities",
      "secret/token",
      "persistentvolumeclaim/state-runner-0",
    ]);
    expect(await left(CONTROL)).toEqual(["persistentvolumeclaim/coordinator"]);
    await bed.install("helm3", "coordinator", COORDINATOR, CONTROL, coordinatorValues());
    const again = await outsideOf(bed.node, CONTROL, "coordinator", outside.url);
    expect(await again.runner("eu-1")).toMatchObject({ id });
  }, 180_000);
});
