import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { RunnerError } from "../../../protocol/errors.ts";
import { type JobContext, ToolError } from "../../handler.ts";
import { emptyFolder, folderInSource } from "../source-folder.ts";
import type { Helm } from "./helm-run.ts";
import type { HelmWork } from "./helm-work.ts";

type Workspace = JobContext<unknown>["workspace"];

const sourceFolder = (workspace: Workspace) => workspace.path("chart");
export const emptyChartFolder = (workspace: Workspace): string => emptyFolder(sourceFolder(workspace));

/**
 * The chart in its source: the packed one of a build (`chart.tgz`, nuon-handlers.md 7.1) or of `helm push`, or a folder
 * with a Chart.yaml. Throws RunnerError (job) when there is none, or several.
 */
export function chartPath(workspace: Workspace, work: HelmWork): string {
  const folder = folderInSource(sourceFolder(workspace), work.path, "source");
  if (existsSync(join(folder, "Chart.yaml"))) return folder;
  const packed = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  const [only] = packed;
  if (only !== undefined && packed.length === 1) return join(folder, only);
  const found =
    packed.length === 0 ? "neither a Chart.yaml nor a packed chart (.tgz)" : `${packed.length} packed charts`;
  throw new RunnerError("job", `the source has ${found}`, {
    remedy: "Name the folder of the chart in source.path, or the artifact that `helm push` made.",
  });
}

const DEPENDENCIES =
  "Check that the runner reaches the repositories in Chart.yaml and that Chart.lock is in step, or commit the charts folder.";

const chartFile = z.looseObject({
  dependencies: z.array(z.looseObject({ name: z.string(), repository: z.string().nullish() })).nullish(),
});

/** Fetches what a chart folder names and does not have; by its Chart.lock when there is one. A packed chart is whole. */
export async function completeChart(ctx: JobContext<unknown>, helm: Helm, chart: string): Promise<void> {
  if (chart.endsWith(".tgz")) return;
  const missing = missingDependencies(chart);
  if (missing.length === 0) return;
  ctx.log.info(`fetching dependencies of the chart: ${missing.map((one) => one.name).join(", ")}`);
  await ctx.step({ name: "dependencies" }, async () => {
    const repositories = new Set(
      missing.flatMap(({ repository }) => (/^https?:/.test(repository ?? "") ? [repository ?? ""] : [])),
    );
    for (const [index, url] of [...repositories].entries()) {
      await helm.run({ key: `repository-${index}`, args: ["repo", "add", `repository-${index}`, url] });
    }
    await helm.run({ key: "dependencies", args: ["dependency", "build", chart] }).catch((error: unknown) => {
      if (!(error instanceof ToolError)) throw error;
      throw new RunnerError("job", error.message, { remedy: DEPENDENCIES, cause: error });
    });
  });
}

function missingDependencies(
  chart: string,
): { readonly name: string; readonly repository?: string | null | undefined }[] {
  const parsed = chartFile.safeParse(readYaml(join(chart, "Chart.yaml")));
  const named = parsed.success ? (parsed.data.dependencies ?? []) : [];
  const folder = join(chart, "charts");
  const there = existsSync(folder) ? readdirSync(folder) : [];
  return named.filter(
    ({ name }) => !there.some((entry) => entry === name || (entry.startsWith(`${name}-`) && entry.endsWith(".tgz"))),
  );
}

function readYaml(path: string): unknown {
  try {
    return Bun.YAML.parse(readFileSync(path, "utf8"));
  } catch {
    // Helm says what is wrong with it.
    return null;
  }
}
