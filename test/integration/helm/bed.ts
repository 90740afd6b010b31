import { mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { JobOperation } from "../../../internal/protocol/enums.ts";
import type { HelmRelease } from "../../../internal/protocol/nuon/helm.ts";
import type { ReleaseStore } from "../../../internal/runner/handler.ts";
import { helmChartDeploy } from "../../../internal/runner/handlers/helm/helm-chart-deploy.ts";
import { goProgram } from "../../bed/go-program.ts";
import { type KubeNode, nodeMissing } from "../../bed/node/node.ts";
import { createHarness, folderOf, type HarnessOptions, type Outcome } from "../../lib/handler-harness.ts";

const missing = nodeMissing() ?? (goProgram("helm3") && goProgram("helm4") ? null : "helm is not built");
/** Without CI a machine that cannot run a node is no failure. */
export const skip = missing !== null && process.env.CI !== "true";

export type HelmName = "helm3" | "helm4";
export const HELMS: readonly HelmName[] = ["helm3", "helm4"];

/** A chart with a Deployment, a ConfigMap and a Secret, and whatever else a test wants. */
export function chartOf(more: Readonly<Record<string, string>> = {}): string {
  return folderOf({
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "replicas: 1\ngreeting: hello\nimage: localhost/bb:1\npassword: hunter2canary\n",
    "templates/map.yaml": `apiVersion: v1
kind: ConfigMap
metadata: { name: "{{ .Release.Name }}-map" }
data: { greeting: {{ .Values.greeting | quote }} }
`,
    "templates/secret.yaml": `apiVersion: v1
kind: Secret
metadata: { name: "{{ .Release.Name }}-secret" }
stringData: { password: {{ .Values.password | quote }} }
`,
    "templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: { name: "{{ .Release.Name }}" }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: "{{ .Release.Name }}" } }
  template:
    metadata: { labels: { app: "{{ .Release.Name }}" } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - { name: app, image: "{{ .Values.image }}", imagePullPolicy: Never, command: [sleep, infinity] }
`,
    ...more,
  });
}

export interface Wanted {
  readonly helm?: HelmName;
  readonly chart: string;
  readonly release: string;
  readonly namespace?: string;
  readonly operation?: JobOperation;
  /** From a plan's result. */
  readonly contents?: string;
  readonly block?: Record<string, unknown>;
  readonly options?: Record<string, unknown>;
  /** Account of the node; default: admin. */
  readonly user?: "admin" | "limited";
  /** Milliseconds. */
  readonly timeoutMs?: number;
  readonly harness?: Partial<HarnessOptions<never, never>>;
}

export type Bed = Pick<KubeNode, "configFor" | "kubeconfig" | "kubectl">;

/** One execution of a helm job on the node, as the runner's own cluster. */
export function helmJob(node: Bed, wanted: Wanted) {
  const folder = mkdtempSync(join(dirname(node.kubeconfig), "job-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, node.configFor(wanted.user ?? "admin"), { mode: 0o600 });
  return createHarness({
    handler: helmChartDeploy,
    operation: wanted.operation ?? "create-apply-plan",
    kube: { kubeconfig },
    tools: { helm: goProgram(wanted.helm ?? "helm3") ?? "helm" },
    sources: { chart: wanted.chart },
    plan: {
      src_registry: { Repository: "charts/web", LoginServer: "registry.test" },
      src_tag: "chart",
      apply_plan_contents: wanted.contents ?? "",
      helm: {
        name: wanted.release,
        namespace: wanted.namespace ?? "default",
        create_namespace: true,
        storage_driver: "secrets",
        runner_options: { wait: true, wait_timeout: 60e9, ...wanted.options },
        ...wanted.block,
      },
    },
    ...wanted.harness,
  });
}

export type Job = ReturnType<typeof helmJob>;

/** What an ended plan job stored. */
export function planOf(outcome: Outcome): Record<string, unknown> & { readonly plan: string; readonly op: string } {
  const packed = Buffer.from(outcome.result?.contents_compressed ?? "", "base64url");
  return JSON.parse(gunzipSync(packed).toString());
}

/** A plan and its apply, as the coordinator chains them. Both outcomes; the apply is null when the plan failed. */
export async function change(node: Bed, wanted: Wanted): Promise<{ plan: Outcome; apply: Outcome; logs: string }> {
  const first = helmJob(node, wanted);
  const plan = await first.run();
  const contents = plan.result?.contents_compressed;
  if (!contents) throw new Error(`the plan failed: ${plan.reason}\n${first.log()}`);
  const second = helmJob(node, { ...wanted, operation: "apply-plan", contents });
  const apply = await second.run();
  const logs = `${first.log()}\n${second.log()}`;
  first.dispose();
  second.dispose();
  return { plan, apply, logs };
}

/** A control plane that keeps releases in memory. */
export function memoryReleases() {
  const kept = new Map<string, HelmRelease>();
  const releases: ReleaseStore = {
    list: async (_at, name) => [...kept.values()].filter((one) => one.name === name),
    create: async ({ key }, release) => {
      if (kept.has(key)) return false;
      kept.set(key, release);
      return true;
    },
    update: async ({ key }, release) => void kept.set(key, release),
    remove: async ({ key }) => void kept.delete(key),
  };
  return { kept, releases };
}
