import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { goProgram } from "../../bed/go-program.ts";

export type HelmName = "helm3" | "helm4";
export const HELMS: readonly HelmName[] = ["helm3", "helm4"];

const BUNDLE = join(import.meta.dir, "../../../bundle/helm");
export const chart = (name: "runner" | "coordinator") => join(BUNDLE, name);

export interface HelmEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** helm with folders of its own; `kubeconfig` when it is to talk to a cluster. */
export async function runHelm(name: HelmName, args: readonly string[], kubeconfig = "/nonexistent"): Promise<HelmEnd> {
  const home = mkdtempSync(join(tmpdir(), "runner-helm-"));
  const child = Bun.spawn([goProgram(name) ?? "helm", ...args], {
    env: {
      PATH: process.env.PATH ?? "",
      HOME: home,
      HELM_CACHE_HOME: home,
      HELM_CONFIG_HOME: home,
      HELM_DATA_HOME: home,
      KUBECONFIG: kubeconfig,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

/** Arguments that give values as a file; JSON is YAML. */
export function valuesFile(values: object): string[] {
  const file = join(mkdtempSync(join(tmpdir(), "runner-values-")), "values.yaml");
  writeFileSync(file, JSON.stringify(values));
  return ["-f", file];
}
