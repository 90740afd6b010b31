import { mkdtempSync, rmSync } from "node:fs";
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

/** What helm is to know besides its arguments. */
export interface HelmMore {
  readonly kubeconfig?: string;
  /** By stdin, so that no file of it stays. */
  readonly values?: object;
}

/** helm with folders of its own. */
export async function runHelm(name: HelmName, args: readonly string[], more: HelmMore = {}): Promise<HelmEnd> {
  const home = mkdtempSync(join(tmpdir(), "runner-helm-"));
  const { kubeconfig = "/nonexistent", values } = more;
  try {
    const child = Bun.spawn([goProgram(name) ?? "helm", ...args, ...(values === undefined ? [] : ["-f", "-"])], {
      env: {
        PATH: process.env.PATH ?? "",
        HOME: home,
        HELM_CACHE_HOME: home,
        HELM_CONFIG_HOME: home,
        HELM_DATA_HOME: home,
        KUBECONFIG: kubeconfig,
      },
      stdin: values === undefined ? "ignore" : new Blob([JSON.stringify(values)]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, stdout, stderr };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
