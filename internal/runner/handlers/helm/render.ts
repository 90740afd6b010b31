import { readFileSync } from "node:fs";
import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobContext, ToolError } from "../../handler.ts";
import type { KubeAccess } from "../kube/access.ts";
import type { Helm } from "./helm-run.ts";
import type { HelmWork } from "./helm-work.ts";
import { type HelmReleaseDocument, helmReleaseDocument, type Rendering, renderingOf } from "./rendering.ts";

export interface Rendered extends Rendering {
  readonly how: "server" | "offline";
  /** `name-version`; empty when helm did not say. */
  readonly chart: string;
  /** Helm will use server-side apply. */
  readonly serverSide: boolean;
}

export interface RenderInput {
  readonly ctx: JobContext<unknown>;
  readonly work: HelmWork;
  readonly helm: Helm;
  readonly access: KubeAccess;
  /** Chart and values, the same for every rendering of the job. */
  readonly chart: string;
  readonly values: readonly string[];
  /** There is a release already. */
  readonly upgrade: boolean;
}

/**
 * Renders the chart as an upgrade would, against the cluster and without changing it. Objects of definitions that the
 * cluster does not have yet cannot be rendered so: then the chart is rendered offline, for that cluster's version.
 */
export async function renderChart(input: RenderInput, key: string, how: Rendered["how"] | null): Promise<Rendered> {
  if (how === "offline") return offline(input, key);
  const { ctx, work, helm, chart, values } = input;
  try {
    const args = [
      "upgrade",
      work.release,
      chart,
      "--install",
      "--reset-values",
      "--dry-run=server",
      "--output=json",
      ...values,
    ] as const;
    const flags = [
      ...(work.takeOwnership ? ["--take-ownership"] : []),
      ...(work.options.hooks ? [] : ["--no-hooks"]),
      // Rendered before: its objects were valid, and the cluster's schemas are most of what a dry run fetches and reads.
      ...(how === null ? [] : ["--disable-openapi-validation"]),
    ];
    await helm.run({ key, args: [...args, ...flags], capture: `${key}.json` });
  } catch (error) {
    if (how === null && error instanceof ToolError && /ensure CRDs are installed first/.test(error.end.tail)) {
      ctx.log.warn(
        "the chart has objects whose definitions the cluster does not have yet: rendered without the cluster",
      );
      return offline(input, `${key}-offline`);
    }
    throw explained(work, error);
  }
  const release = readRelease(ctx.workspace.path(`${key}.json`));
  const { name, version } = release.chart?.metadata ?? { name: "", version: "" };
  return {
    ...renderingOf(release, work.namespace, "rendered chart"),
    how: "server",
    chart: `${name}-${version}`,
    serverSide: release.apply_method === "ssa",
  };
}

const version = z.looseObject({ gitVersion: z.string() });
const groups = z.looseObject({
  groups: z.array(z.looseObject({ versions: z.array(z.looseObject({ groupVersion: z.string() })) })),
});

async function offline(
  { ctx, work, helm, access, chart, values, upgrade }: RenderInput,
  key: string,
): Promise<Rendered> {
  const { signal } = ctx;
  const asked = await access.client.request({ method: "GET", path: "/version", signal }, version);
  const known = await access.client.request({ method: "GET", path: "/apis", signal }, groups);
  if (!asked.ok) throw asked.error;
  if (!known.ok) throw known.error;
  const apis = known.value.groups.flatMap((group) => group.versions.map((one) => one.groupVersion));
  const flags = [`--kube-version=${asked.value.gitVersion}`, ...apis.map((api) => `--api-versions=${api}`)];
  const args = [
    "template",
    work.release,
    chart,
    "--no-hooks",
    ...(upgrade ? ["--is-upgrade"] : []),
    ...flags,
    ...values,
  ] as const;
  await helm.run({ key, args: [...args], capture: `${key}.yaml` });
  const manifest = readFileSync(ctx.workspace.path(`${key}.yaml`), "utf8");
  const rendering = renderingOf({ manifest, hooks: [] }, work.namespace, "rendered chart");
  return { ...rendering, how: "offline", chart: "", serverSide: helm.major === 4 };
}

/** Throws RunnerError (protocol). */
export function readRelease(path: string): HelmReleaseDocument {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new RunnerError("protocol", "helm printed no release");
  }
  const parsed = helmReleaseDocument.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new RunnerError("protocol", "helm printed a release of another form");
}

/** Errors of helm that have a remedy of ours. */
export function explained(work: HelmWork, error: unknown): unknown {
  if (!(error instanceof ToolError)) return error;
  const { tail } = error.end;
  const remedy = REMEDIES.find(([pattern]) => pattern.test(tail))?.[1] ?? CORRECT;
  return new RunnerError("job", error.message, { remedy: remedy(work), cause: error });
}

const CORRECT = () => "Correct the chart or its values; the log has all that helm said.";

const REMEDIES: readonly (readonly [RegExp, (work: HelmWork) => string])[] = [
  [
    /invalid ownership metadata|cannot be imported into the current release/,
    () => "Another release or person made this object: rename or delete it, or set take_ownership: true.",
  ],
  [
    /another operation .* is in progress/,
    () => "Wait until it is done; set recover_pending: true when nothing works on it.",
  ],
  [
    /cannot create resource "namespaces"/,
    ({ namespace }) =>
      `Make the namespace ${namespace} and give the runner's account its rights there, or let it create namespaces with a ClusterRole.`,
  ],
  [
    /forbidden: User|is forbidden/,
    ({ namespace }) => `Give the runner's account that right in namespace ${namespace} with a Role and a RoleBinding.`,
  ],
  [/namespaces? "[^"]*" not found/, () => "Make the namespace, or set create_namespace: true."],
  [
    /values don't meet the specifications|JSON schema/i,
    () => "Correct the values: the chart's values.schema.json refuses them.",
  ],
  [
    /apply failed with \d+ conflict|conflicts? with/i,
    () => "Another manager owns these fields; set force_conflicts: true to take them.",
  ],
  [/no space left on device/, () => "Free space on the disk of the runner's state directory, then submit again."],
  [
    /found in Chart.yaml, but missing in charts/,
    () => "Run `helm dependency build` in the chart, or commit its charts folder.",
  ],
];
