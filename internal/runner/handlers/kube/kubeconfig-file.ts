import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type KubeTarget, kubeconfigText } from "../../../kit/kube/index.ts";
import type { KubeJob } from "./access.ts";

/** Clients read a token file again after a minute; a token is renewed minutes before it expires. */
const RENEW_MS = 30_000;

/** Writes the kubeconfig of a job's programs on first use and keeps its token fresh until the workspace is removed. */
export function kubeconfigFile(
  ctx: Pick<KubeJob, "workspace">,
  target: KubeTarget,
  renewMs = RENEW_MS,
): () => Promise<string> {
  let written: Promise<string> | null = null;
  return () => {
    written ??= write(ctx, target, renewMs).catch((error: unknown) => {
      written = null;
      throw error;
    });
    return written;
  };
}

async function write(ctx: Pick<KubeJob, "workspace">, target: KubeTarget, renewMs: number): Promise<string> {
  const folder = ctx.workspace.path("kube");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "config");
  const tokenFile = target.credential.kind === "token" ? join(folder, "token") : null;
  if (tokenFile !== null) await keepToken(target, tokenFile, renewMs);
  replace(file, kubeconfigText(target, tokenFile));
  return file;
}

async function keepToken({ credential }: KubeTarget, file: string, renewMs: number): Promise<void> {
  if (credential.kind !== "token") return;
  let shown = await credential.token();
  replace(file, shown);
  const timer = setInterval(async () => {
    // The folder goes with the workspace, the one sign of the job's end that every way of ending gives.
    if (!existsSync(dirname(file))) return clearInterval(timer);
    try {
      const fresh = await credential.token();
      if (fresh !== shown && existsSync(dirname(file))) replace(file, fresh);
      shown = fresh;
    } catch {
      // The old token may have minutes left; the next turn asks again, and the program says what the cluster answered.
    }
  }, renewMs);
  timer.unref();
}

/** A program never sees half a file. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
