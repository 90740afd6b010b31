import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type KubeClient, type KubeTarget, kubeClient, kubeconfigText } from "../../../kit/kube/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { newSecret } from "../../../protocol/ids.ts";
import type { JobContext } from "../../handler.ts";
import type { KubeAccess } from "../kube/access.ts";
import type { HelmWork } from "./helm-work.ts";
import { startStorageProxy } from "./storage-proxy.ts";

/** Where helm keeps its releases, as it reaches them. */
export interface HelmStorage {
  /** For helm: path of a kubeconfig. */
  readonly kubeconfig: () => Promise<string>;
  /** For us: answers the same records. */
  readonly client: KubeClient;
  close(): Promise<void>;
}

/**
 * The drivers of helm itself, or `nuon`: then helm is shown a cluster on loopback that keeps release records at the
 * control plane and hands everything else on. Its address and key outlive a restart of the runner, for a helm that does.
 */
export async function openStorage(ctx: JobContext<unknown>, work: HelmWork, access: KubeAccess): Promise<HelmStorage> {
  if (work.driver !== "nuon") {
    return { kubeconfig: access.kubeconfig, client: access.client, close: () => Promise.resolve() };
  }
  if (ctx.releases === null) {
    throw new RunnerError(
      "job",
      "the storage driver nuon needs a control plane that keeps releases, and this one does not",
      {
        remedy: "Use the storage driver secret or configmap.",
      },
    );
  }
  const folder = ctx.workspace.path("release-store");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const key = kept(`${folder}/key`) ?? newSecret();
  ctx.secrets.register(key);
  writeFileSync(`${folder}/key`, key, { mode: 0o600 });
  const port = Number(kept(`${folder}/port`) ?? 0);
  const proxy = startStorageProxy({ client: access.client, store: ctx.releases, chartId: work.chartId, key, port });
  writeFileSync(`${folder}/port`, String(proxy.port), { mode: 0o600 });
  const target: KubeTarget = {
    server: `http://127.0.0.1:${proxy.port}/${key}`,
    ca: null,
    tlsServerName: null,
    insecure: false,
    proxyUrl: null,
    namespace: work.namespace,
    credential: { kind: "none" },
  };
  return {
    kubeconfig: () => {
      writeFileSync(`${folder}/config`, kubeconfigText(target, null), { mode: 0o600 });
      return Promise.resolve(`${folder}/config`);
    },
    client: kubeClient(target),
    close: () => proxy.close(),
  };
}

const kept = (path: string): string | null => (existsSync(path) ? readFileSync(path, "utf8") || null : null);
