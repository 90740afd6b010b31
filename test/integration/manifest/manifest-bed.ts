import { gunzipSync } from "node:zlib";
import { z } from "zod";
import type { JobOperation } from "../../../internal/protocol/enums.ts";
import { kubernetesPlan } from "../../../internal/protocol/nuon/resource-diffs.ts";
import { manifestDeploy } from "../../../internal/runner/handlers/manifest/manifest-deploy.ts";
import type { KubeNode } from "../../bed/node/node.ts";
import { createHarness } from "../../lib/handler-harness.ts";

/** One change after another on a real cluster, through the handler alone. */
export interface ManifestOptions {
  readonly set?: string;
  readonly prune?: boolean;
  readonly force_conflicts?: boolean;
  /** Milliseconds; absent: nothing is waited for. */
  readonly wait?: number;
  readonly propagation?: string;
}

export interface JobWish {
  readonly operation: JobOperation;
  readonly manifest: string;
  readonly namespace?: string;
  readonly contents?: string;
  readonly options?: ManifestOptions;
  readonly user?: "admin" | "limited";
  /** In place of that of the node. */
  readonly kubeconfig?: string;
  /** Keys of the plan over the others, as a Nuon server writes it. */
  readonly plan?: { readonly [key: string]: unknown };
  /** Keys of its block, in place of ours. */
  readonly block?: { readonly [key: string]: unknown };
  /** Folders by the tag of their artifact. */
  readonly sources?: Readonly<Record<string, string>>;
}

export function manifestBed(node: KubeNode) {
  const harnesses: { dispose(): void }[] = [];
  const job = (wish: JobWish) => {
    const { wait, ...options } = wish.options ?? {};
    const harness = createHarness({
      handler: manifestDeploy,
      type: "kubernetes-manifest-deploy",
      operation: wish.operation,
      ...(wish.sources === undefined ? {} : { sources: wish.sources }),
      plan: {
        apply_plan_contents: wish.contents ?? "",
        kubernetes_manifest: {
          manifest: wish.manifest,
          cluster_info: { kube_config: wish.kubeconfig ?? node.configFor(wish.user ?? "admin") },
          ...(wish.block ?? {
            namespace: wish.namespace ?? "default",
            runner_options: { ...options, wait_timeout: (wait ?? 0) * 1e6 },
          }),
        },
        ...wish.plan,
      },
    });
    harnesses.push(harness);
    return { ...harness, handler: manifestDeploy };
  };
  const planned = async (manifest: string, rest: Partial<JobWish> = {}) => {
    const harness = job({ operation: "create-apply-plan", manifest, ...rest });
    const outcome = await harness.run();
    const packed = outcome.result?.contents_compressed ?? "";
    const plan = packed === "" ? null : decodePlan(packed);
    return {
      ...outcome,
      log: harness.log(),
      contents: Buffer.from(packed, "base64").toString("base64"),
      plan,
      harness,
    };
  };
  const applied = async (manifest: string, contents: string, rest: Partial<JobWish> = {}) => {
    const harness = job({ operation: "apply-plan", manifest, contents, ...rest });
    return { ...(await harness.run()), log: harness.log(), harness };
  };
  return {
    job,
    planned,
    applied,
    /** Plan and apply; throws the reason when one of them fails. */
    async change(manifest: string, rest: Partial<JobWish> = {}) {
      const plan = await planned(manifest, rest);
      if (plan.status !== "finished") throw new Error(plan.reason);
      const end = await applied(manifest, plan.contents, rest);
      if (end.status !== "finished") throw new Error(end.reason);
      return { plan, end };
    },
    live: async (kind: string, name: string, namespace = "default"): Promise<Record<string, unknown>> => {
      const text = await node.kubectl(["get", kind, name, "-n", namespace, "-o", "json", "--show-managed-fields"]);
      return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
    },
    exists: async (kind: string, name: string, namespace = "default") =>
      (await node.kubectl(["get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "name"])) !== "",
    dispose: () => {
      for (const one of harnesses) one.dispose();
    },
  };
}

export const decodePlan = (packed: string) =>
  kubernetesPlan.parse(JSON.parse(gunzipSync(Buffer.from(packed, "base64")).toString()));

export const configMap = (name: string, data: Record<string, string>, metadata: Record<string, unknown> = {}) =>
  object({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data });

/** One document; JSON is YAML. */
export const object = (value: unknown) => `${JSON.stringify(value)}\n---\n`;

export const deployment = (
  name: string,
  over: { replicas?: number; command?: string[]; image?: string; labels?: Record<string, string> } = {},
) => {
  const labels = over.labels ?? { app: name };
  return object({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: over.replicas ?? 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: "main",
              image: over.image ?? "localhost/bb:1",
              imagePullPolicy: "Never",
              command: over.command ?? ["sleep", "86400"],
            },
          ],
        },
      },
    },
  });
};

export const definition = (plural: string, kind: string, group = "example.test") =>
  object({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
            },
          },
        },
      ],
    },
  });
