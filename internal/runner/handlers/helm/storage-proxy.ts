import { timingSafeEqual } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { KubeClient } from "../../../kit/kube/index.ts";
import { reasonOf } from "../../../protocol/errors.ts";
import { type HelmRelease, helmRelease } from "../../../protocol/nuon/helm.ts";
import type { ReleaseStore } from "../../handler.ts";
import { readSecret, type SentSecret } from "./sent-secret.ts";

/** Helm's release records, and nothing else, as the Kubernetes API shows Secrets. */
const SECRETS = /^\/api\/v1\/namespaces\/([^/]+)\/secrets(?:\/([^/]+))?$/;
const KEY = /^sh\.helm\.release\.v1\.(.+)\.v(\d+)$/;

export interface StorageProxyOptions {
  readonly client: KubeClient;
  readonly store: ReleaseStore;
  readonly chartId: string;
  /** First step of every path: other users of the machine reach loopback, too. */
  readonly key: string;
  /** 0: any. One that is taken by now becomes any, too. */
  readonly port: number;
}

/** A cluster on loopback for one helm: its release records lie at the control plane, everything else is the cluster's. */
export function startStorageProxy(options: StorageProxyOptions): { readonly port: number; close(): Promise<void> } {
  const fetch = async (
    request: Request,
    server: { timeout(request: Request, seconds: number): void },
  ): Promise<Response> => {
    server.timeout(request, 0);
    const url = opened(request, options.key);
    if (url === null) return refuse(401, "Unauthorized", "this address is for one job only");
    try {
      return (await answerRelease(options, request, url)) ?? (await pass(options.client, request, url));
    } catch (error) {
      return refuse(500, "InternalError", reasonOf(error));
    }
  };
  const serve = (port: number) => Bun.serve({ hostname: "127.0.0.1", port, fetch });
  let server: ReturnType<typeof serve>;
  try {
    server = serve(options.port);
  } catch {
    server = serve(0);
  }
  return { port: server.port ?? 0, close: () => server.stop(true) };
}

/** The URL behind the key, which is its first step; null: another key. Clients send no credentials over plain HTTP. */
function opened(request: Request, key: string): URL | null {
  const url = new URL(request.url);
  const given = Buffer.from(url.pathname.split("/")[1] ?? "");
  const wanted = Buffer.from(key);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
  url.pathname = url.pathname.slice(key.length + 1);
  return url;
}

/** null: not about a release record. */
async function answerRelease(options: StorageProxyOptions, request: Request, url: URL): Promise<Response | null> {
  const [, space, name] = SECRETS.exec(url.pathname) ?? [];
  if (space === undefined) return null;
  const namespace = decodeURIComponent(space);
  if (name !== undefined) {
    const key = decodeURIComponent(name);
    return KEY.test(key) ? answerOne(options, request, { namespace, key }) : null;
  }
  if (request.method === "GET") return answerList(options, url, namespace);
  if (request.method !== "POST") return null;
  const parsed = readSecret(await request.clone().bytes());
  const key = parsed?.metadata?.name ?? "";
  if (parsed === null || !KEY.test(key)) return null;
  const made = await options.store.create({ chartId: options.chartId, namespace, key }, releaseOf(parsed));
  if (!made) return refuse(409, "AlreadyExists", `secrets "${key}" already exists`);
  return Response.json(secretOf(releaseOf(parsed), namespace), { status: 201 });
}

async function answerOne(
  options: StorageProxyOptions,
  request: Request,
  at: { namespace: string; key: string },
): Promise<Response> {
  const where = { ...at, chartId: options.chartId };
  const [, name = "", revision] = KEY.exec(at.key) ?? [];
  const all = await options.store.list(where, name);
  const found = all.find((one) => one.version === Number(revision));
  if (found === undefined) return refuse(404, "NotFound", `secrets "${at.key}" not found`);
  if (request.method === "GET") return Response.json(secretOf(found, at.namespace));
  if (request.method === "DELETE") {
    await options.store.remove(where);
    return Response.json({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" });
  }
  const parsed = readSecret(await request.bytes());
  if (request.method !== "PUT" || parsed === null)
    return refuse(405, "MethodNotAllowed", "release records are read, made, put and deleted");
  await options.store.update(where, releaseOf(parsed));
  return Response.json(secretOf(releaseOf(parsed), at.namespace));
}

/** Only lists by helm's own labels: other Secrets are the cluster's. */
async function answerList(
  { store, chartId }: StorageProxyOptions,
  url: URL,
  namespace: string,
): Promise<Response | null> {
  const wanted = new Map(
    (url.searchParams.get("labelSelector") ?? "")
      .split(",")
      .map((pair) => [pair.split("=")[0] ?? "", pair.split("=")[1] ?? ""] as const),
  );
  const name = wanted.get("name");
  if (wanted.get("owner") !== "helm" || name === undefined) return null;
  const items = (await store.list({ chartId, namespace }, name))
    .map((release) => secretOf(release, namespace))
    .filter(({ metadata }) =>
      [...wanted].every(([label, value]) => (metadata.labels as Record<string, string>)[label] === value),
    );
  return Response.json({ kind: "SecretList", apiVersion: "v1", metadata: { resourceVersion: "1" }, items });
}

async function pass(client: KubeClient, request: Request, url: URL): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const name of ["authorization", "host", "connection", "content-length", "accept-encoding"]) headers.delete(name);
  const body = request.body === null ? {} : { body: await request.arrayBuffer() };
  const answer = await client.forward(url.pathname + url.search, {
    method: request.method,
    headers,
    signal: request.signal,
    ...body,
  });
  const out = new Headers(answer.headers);
  // Unpacked on the way here.
  for (const name of ["content-encoding", "content-length", "transfer-encoding", "connection"]) out.delete(name);
  return new Response(answer.body, { status: answer.status, headers: out });
}

function refuse(code: number, reason: string, message: string): Response {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return Response.json(body, { status: code });
}

/** Helm keeps labels beside its release; the control plane wants them in it. */
function releaseOf({ data, metadata }: SentSecret): HelmRelease {
  const packed = Buffer.from(Buffer.from(data?.release ?? "", "base64").toString("latin1"), "base64");
  const json: unknown = JSON.parse(gunzipSync(packed, { maxOutputLength: 64 * 2 ** 20 }).toString("utf8"));
  return { ...helmRelease.parse(json), labels: metadata?.labels ?? {} };
}

/** The status is the release's: a real server keeps the label of its creation. */
function secretOf(release: HelmRelease, namespace: string) {
  const { labels, ...plain } = release;
  const text = Buffer.from(Bun.gzipSync(JSON.stringify(plain))).toString("base64");
  return {
    kind: "Secret",
    apiVersion: "v1",
    metadata: {
      name: `sh.helm.release.v1.${release.name}.v${release.version}`,
      namespace,
      resourceVersion: "1",
      creationTimestamp: release.info?.last_deployed,
      labels: {
        ...labels,
        name: release.name ?? "",
        owner: "helm",
        status: release.info?.status ?? "",
        version: String(release.version ?? 0),
      },
    },
    type: "helm.sh/release.v1",
    data: { release: Buffer.from(text).toString("base64") },
  };
}
