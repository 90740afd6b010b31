import { readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import { execToken, type SpawnCredential } from "./exec-credential.ts";
import { fileToken } from "./file-token.ts";
import type { KubeCredential, KubeTarget } from "./target.ts";

/** kubeconfig, `v1` (kubernetes.io/docs, "kubectl config"): the keys that clients act on; others are let pass. */
const text = z.string().nullish();
const cluster = z.looseObject({
  server: z.string().min(1),
  "certificate-authority": text,
  "certificate-authority-data": text,
  "insecure-skip-tls-verify": z.boolean().nullish(),
  "tls-server-name": text,
  "proxy-url": text,
});
const execSpec = z.looseObject({
  apiVersion: z.string().nullish(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string() })).nullish(),
  provideClusterInfo: z.boolean().nullish(),
});
export type ExecSpec = z.infer<typeof execSpec>;
const user = z.looseObject({
  "client-certificate": text,
  "client-certificate-data": text,
  "client-key": text,
  "client-key-data": text,
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  exec: execSpec.nullish(),
});
const context = z.looseObject({ cluster: z.string(), user: z.string().nullish(), namespace: text });
const kubeconfig = z.looseObject({
  "current-context": text,
  clusters: z.array(z.looseObject({ name: z.string(), cluster })),
  users: z.array(z.looseObject({ name: z.string(), user: user.nullish() })).nullish(),
  contexts: z.array(z.looseObject({ name: z.string(), context })),
});

export interface KubeconfigOptions {
  /** Folder that file names in it are relative to; null: none may be named (a kubeconfig that came with a plan). */
  readonly folder: string | null;
  /** Other context than the current one. */
  readonly context?: string;
  /** Runs credential plug-ins; null: they are refused. */
  readonly spawn: SpawnCredential | null;
}

/** The current context of a kubeconfig. Errors name the key; they never quote a value. */
export function readKubeconfig(source: string, options: KubeconfigOptions): Result<KubeTarget> {
  try {
    return ok(read(source, options));
  } catch (error) {
    return fail(error instanceof RunnerError ? error : bad(reasonOf(error)));
  }
}

function read(source: string, options: KubeconfigOptions): KubeTarget {
  const file = kubeconfig.safeParse(parse(source));
  if (!file.success) {
    const issue = file.error.issues[0];
    throw bad(`${issue?.path.join(".") || "it"}: ${issue?.message ?? "not a kubeconfig"}`);
  }
  const { clusters, users, contexts } = file.data;
  const wanted = options.context ?? file.data["current-context"] ?? "";
  const chosen = contexts.find((one) => one.name === wanted)?.context;
  if (chosen === undefined) throw bad(wanted === "" ? "current-context is missing" : `it has no context ${wanted}`);
  const target = clusters.find((one) => one.name === chosen.cluster)?.cluster;
  if (target === undefined) throw bad(`context ${wanted} names the cluster ${chosen.cluster}, which it has not`);
  const found = chosen.user ? users?.find((one) => one.name === chosen.user) : null;
  if (found === undefined) throw bad(`context ${wanted} names the user ${chosen.user}, which it has not`);
  const ca = content(
    target["certificate-authority-data"],
    target["certificate-authority"],
    options,
    "certificate-authority",
  );
  return {
    server: target.server.replace(/\/+$/, ""),
    ca,
    tlsServerName: target["tls-server-name"] || null,
    insecure: target["insecure-skip-tls-verify"] === true,
    proxyUrl: target["proxy-url"] || null,
    namespace: chosen.namespace || "default",
    credential: credentialOf(found?.user ?? {}, target.server, ca, options),
  };
}

function credentialOf(
  one: z.infer<typeof user>,
  server: string,
  ca: string | null,
  options: KubeconfigOptions,
): KubeCredential {
  const cert = content(one["client-certificate-data"], one["client-certificate"], options, "client-certificate");
  const key = content(one["client-key-data"], one["client-key"], options, "client-key");
  if (cert !== null && key !== null) return { kind: "certificate", cert, key };
  if (one.tokenFile) return { kind: "token", token: fileToken(placed(one.tokenFile, options, "tokenFile")) };
  if (one.token) {
    const { token } = one;
    return { kind: "token", token: () => Promise.resolve(token) };
  }
  if (one.username) return { kind: "basic", username: one.username, password: one.password ?? "" };
  if (!one.exec) return { kind: "none" };
  if (options.spawn === null) throw bad(`users.exec: running ${one.exec.command} is not allowed here`);
  return { kind: "token", token: execToken(one.exec, { server, ca }, options.spawn) };
}

/** Inline base64 wins over a file, as in kubectl. */
function content(
  data: string | null | undefined,
  file: string | null | undefined,
  options: KubeconfigOptions,
  key: string,
) {
  if (data) return Buffer.from(data, "base64").toString("utf8");
  return file ? readFileSync(placed(file, options, key), "utf8") : null;
}

function placed(file: string, { folder }: KubeconfigOptions, key: string): string {
  if (folder !== null) return isAbsolute(file) ? file : resolve(folder, file);
  throw bad(
    `${key} names a file; a kubeconfig that travels holds its data inline (kubectl config view --flatten --minify)`,
  );
}

function parse(source: string): unknown {
  try {
    return Bun.YAML.parse(source);
  } catch {
    throw bad("it is not YAML");
  }
}

const bad = (why: string) => new RunnerError("job", `the kubeconfig cannot be used: ${why}`);
