import { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { ExecSpec } from "./kubeconfig.ts";

/** Runs a credential plug-in with exactly this environment besides what every tool gets; its stdout. Rejects when it fails. */
export type SpawnCredential = (
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
) => Promise<string>;

/** client.authentication.k8s.io v1 and v1beta1, `ExecCredential`. */
const answer = z.looseObject({
  status: z.looseObject({ token: z.string().min(1), expirationTimestamp: z.string().nullish() }),
});

/** Renewed this long before it expires, so that no request is under way with a dead one. */
const EARLY_MS = 60_000;

/** Asks the plug-in once and again shortly before its token expires; one without an expiry is kept. */
export function execToken(
  spec: ExecSpec,
  cluster: { readonly server: string; readonly ca: string | null },
  spawn: SpawnCredential,
): () => Promise<string> {
  let held: { readonly token: Promise<string>; until: number } | null = null;
  const ask = async (): Promise<{ token: string; until: number }> => {
    const info = {
      kind: "ExecCredential",
      apiVersion: spec.apiVersion ?? "client.authentication.k8s.io/v1",
      spec: { interactive: false, ...(spec.provideClusterInfo ? { cluster: clusterOf(cluster) } : {}) },
    };
    const env = Object.fromEntries((spec.env ?? []).map(({ name, value }) => [name, value]));
    const out = await spawn([spec.command, ...(spec.args ?? [])], {
      ...env,
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    });
    const parsed = answer.safeParse(jsonOf(out));
    if (!parsed.success) throw new RunnerError("job", `${spec.command} gave no Kubernetes credential`);
    const { token, expirationTimestamp } = parsed.data.status;
    const until = expirationTimestamp ? Date.parse(expirationTimestamp) - EARLY_MS : Number.POSITIVE_INFINITY;
    return { token, until };
  };
  return () => {
    if (held !== null && Date.now() < held.until) return held.token;
    const asked = ask();
    const mine = { token: asked.then((one) => one.token), until: Number.POSITIVE_INFINITY };
    held = mine;
    asked.then(
      (one) => {
        mine.until = one.until;
      },
      () => {
        if (held === mine) held = null;
      },
    );
    return mine.token.catch((cause: unknown) => {
      throw new RunnerError("job", `no Kubernetes credential from ${spec.command}: ${reasonOf(cause)}`, {
        remedy: `run ${spec.command} on the runner's machine as its user to see what it needs`,
        cause,
      });
    });
  };
}

const clusterOf = ({ server, ca }: { server: string; ca: string | null }) => ({
  server,
  ...(ca === null ? {} : { "certificate-authority-data": Buffer.from(ca).toString("base64") }),
});

function jsonOf(out: string): unknown {
  try {
    return JSON.parse(out);
  } catch {
    return null;
  }
}
