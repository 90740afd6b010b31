import { chownSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasEnded } from "../../../internal/protocol/enums.ts";
import type { JobShow, RunnerDoc } from "../../../internal/protocol/operator.ts";
import { definitionsMissing } from "../../bed/definitions.ts";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, nodeMissing, startNode } from "../../bed/node/node.ts";
import { imageMissing, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { until } from "../../faults/lib/processes.ts";
import { chart, type HelmMore, type HelmName, runHelm } from "./helm.ts";

const missing =
  nodeMissing() ??
  imageMissing() ??
  definitionsMissing() ??
  (goProgram("helm3") && goProgram("helm4") ? null : "helm is not built");
/** Without CI a machine that cannot run a node is no failure. */
export const skip = missing !== null && process.env.CI !== "true";

/**
 * What every install here has: the image of bundle/container, which the node knows by two names so that an upgrade has
 * another one to go to, and little to ask for.
 */
export const SMALL = {
  image: { repository: "localhost/runner", tag: "1", pullPolicy: "Never" },
  resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "1Gi" } },
  readinessProbe: { periodSeconds: 1 },
} as const;

export interface ClusterBed {
  readonly node: KubeNode;
  /** helm upgrade --install --wait; throws what it said. */
  install(helm: HelmName, release: string, what: string, namespace: string, values: object): Promise<void>;
  uninstall(helm: HelmName, release: string, namespace: string): Promise<void>;
  namespace(name: string, level?: "restricted"): Promise<void>;
  apply(object: object): Promise<void>;
  /** A folder of the machine for one claim, as nobody provisions volumes here. */
  volume(namespace: string, claim: string): Promise<void>;
  /** A command in a pod; its stdout. */
  exec(namespace: string, pod: string, ...argv: string[]): Promise<string>;
  end(): Promise<void>;
}

export async function startClusterBed(): Promise<ClusterBed> {
  const archive = await runnerImageArchive();
  const node = await startNode();
  const folder = dirname(node.kubeconfig);
  node.load(archive);
  node.tag(RUNNER_IMAGE, "localhost/runner:1", "localhost/runner:2");
  const helm = async (name: HelmName, args: readonly string[], more: HelmMore = {}) => {
    const { code, stderr } = await runHelm(name, args, { kubeconfig: node.kubeconfig, ...more });
    if (code !== 0) throw new Error(`${name} ${args.join(" ")}: ${stderr}`);
  };
  const apply = async (object: object) => {
    await node.kubectl(["apply", "-f", "-"], JSON.stringify(object));
  };
  return {
    node,
    install: (name, release, what, namespace, values) =>
      helm(name, ["upgrade", "--install", release, what, "-n", namespace, "--wait"], { values }),
    uninstall: (name, release, namespace) => helm(name, ["uninstall", release, "-n", namespace, "--wait"]),
    apply,
    async namespace(name, level) {
      const labels = level === undefined ? {} : { "pod-security.kubernetes.io/enforce": level };
      await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
      await until(`the account of ${name}`, () => node.kubectl(["get", "sa", "default", "-n", name]).catch(() => null));
    },
    async volume(namespace, claim) {
      const path = join(folder, `volume-${namespace}-${claim}`);
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, 65532, 65532);
      await apply({
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: `${namespace}-${claim}` },
        spec: {
          capacity: { storage: "20Gi" },
          accessModes: ["ReadWriteOnce"],
          persistentVolumeReclaimPolicy: "Retain",
          hostPath: { path, type: "Directory" },
          claimRef: { namespace, name: claim },
        },
      });
    },
    exec: (namespace, pod, ...argv) => node.kubectl(["exec", "-n", namespace, pod, "--", ...argv]),
    end: () => node.end(),
  };
}

/** A coordinator of the chart, as its operator sees it from outside. */
export interface Outside {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  get<T>(path: string): Promise<T>;
  /** What Prometheus reads of it. */
  metrics(): Promise<string>;
  submit(job: object, runner?: string): Promise<string>;
  log(job: string): Promise<string>;
  /** Until it has ended. */
  ended(job: string): Promise<JobShow>;
  runner(name: string): Promise<RunnerDoc>;
}

/** By what the chart put into the cluster: the admin key and the certificate authority. */
export async function outsideOf(node: KubeNode, namespace: string, name: string, url: string): Promise<Outside> {
  const secret = async (of: string, key: string) => {
    const { data } = JSON.parse(await node.kubectl(["get", "secret", of, "-n", namespace, "-o", "json"]));
    return Buffer.from(data[key], "base64").toString();
  };
  const ca = await secret(`${name}-tls`, "ca.crt");
  const authorization = `Bearer ${(await secret(name, "admin-key")).trim()}`;
  const send = async (path: string, body?: unknown) => {
    const headers = { authorization, "content-type": "application/json" };
    const post = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${url}/api/v1${path}`, { headers, tls: { ca }, ...post });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const get = async <T>(path: string): Promise<T> => (await send(path)).json();
  return {
    url,
    ca,
    get,
    metrics: async () => (await fetch(`${url}/metrics`, { headers: { authorization }, tls: { ca } })).text(),
    submit: async (job, runner) => {
      const made = await send("/jobs", { job, ...(runner === undefined ? {} : { runner }) });
      return (await made.json()).job;
    },
    log: async (job) => (await send(`/jobs/${job}/logs?format=text`)).text(),
    ended: (job) =>
      until(
        `the job ${job} has ended`,
        async () => {
          const doc = await get<JobShow>(`/jobs/${job}`);
          return hasEnded(doc.status) ? doc : null;
        },
        90_000,
      ),
    runner: async (wanted) => {
      const found = (await get<RunnerDoc[]>("/runners")).find((one) => one.name === wanted);
      if (found === undefined) throw new Error(`no runner ${wanted}`);
      return found;
    },
  };
}

/** Secret and ConfigMap that the runner's chart is told of. */
export async function giveToken(bed: ClusterBed, namespace: string, token: string, ca: string): Promise<void> {
  const metadata = (name: string) => ({ name, namespace });
  await bed.apply({ apiVersion: "v1", kind: "Secret", metadata: metadata("token"), stringData: { token } });
  await bed.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: metadata("ca"), data: { "ca.crt": ca } });
}

export const RUNNER = chart("runner");
export const COORDINATOR = chart("coordinator");

/** An action that says `begin`, waits for a file, and says `end`. */
export const waiting = (go: string) => ({
  type: "actions-workflow",
  name: "wait",
  timeout: "10m",
  spec: {
    steps: [
      {
        name: "wait",
        run: `echo begin; while [ ! -e ${go} ]; do sleep 0.2; done; echo end; echo answer=42 >> "$RUNNER_OUTPUT"`,
      },
    ],
  },
});
