import type { JobShow } from "../../internal/protocol/operator.ts";

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of answers under test are looked at freely
  readonly body: any;
}

/** The operator API over real HTTP, as a person with the admin key. */
export interface Operator {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** The body of a 200; anything else throws with the answer. */
  get<T>(path: string): Promise<T>;
  raw(path: string, init?: RequestInit): Promise<Response>;
  show(id: string): Promise<JobShow>;
  submit(job: object, more?: object): Promise<string>;
  /** Packs files the way our CLI does and answers the digest. */
  upload(files: Readonly<Record<string, string>>): Promise<string>;
}

export function createOperator(coordinator: { readonly url: string; readonly adminKey: string }): Operator {
  const raw = (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${coordinator.adminKey}`);
    return fetch(`${coordinator.url}/api/v1${path}`, { ...init, headers });
  };
  const send: Operator["send"] = async (method, path, body, headers = {}) => {
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await raw(path, { method, headers: { ...type, ...headers }, ...json });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? null : JSON.parse(text) };
  };
  const must = async (method: string, path: string, body?: unknown) => {
    const answer = await send(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  return {
    send,
    raw,
    get: (path) => must("GET", path),
    show: (id) => must("GET", `/jobs/${id}`),
    submit: async (job, more = {}) => (await must("POST", "/jobs", { job, ...more })).job,
    upload: async (files) => {
      const { digest, manifest, blobs } = packed(files);
      for (const [blob, bytes] of blobs) await raw(`/sources/blobs/${blob}`, { method: "PUT", body: bytes });
      const answer = await raw(`/sources/${digest}`, { method: "PUT", body: manifest });
      if (answer.status !== 200) throw new Error(`upload: ${answer.status} ${await answer.text()}`);
      return digest;
    },
  };
}

export const sha256 = (bytes: string) => `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;

/** An artifact in the layout of nuon-handlers.md 7.1: one layer per file. */
export function packed(files: Readonly<Record<string, string>>) {
  const layers = Object.entries(files).map(([title, text]) => ({
    mediaType: "file/terraform",
    digest: sha256(text),
    size: Buffer.byteLength(text),
    annotations: { "org.opencontainers.image.title": title },
  }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "artifact/nuon", digest: sha256("{}"), size: 2 },
    layers,
  });
  const blobs = new Map(Object.values(files).map((text) => [sha256(text), text]));
  return { digest: sha256(manifest), manifest, blobs, layers };
}
