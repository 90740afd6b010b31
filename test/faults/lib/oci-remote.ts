import { writeFileSync } from "node:fs";
import { digestOf } from "../../../internal/kit/workspace/index.ts";
import { type Sample, sampleOf } from "./jobs.ts";
import type { Bed } from "./processes.ts";
import { startWire, type Wire } from "./tcp-proxy.ts";

const MIB = 1024 * 1024;
export const OCI_PASSWORD = "p4ss-of-the-registry-5512";

const SCRIPT =
  'echo begin >> "$TRACE"\necho "line one"\necho worked >> "$TRACE"\necho "answer=42" >> "$RUNNER_OUTPUT"\n';

/** A private registry with one artifact, `team/job:1`, behind a wire that can be cut. */
export interface Registry {
  readonly wire: Wire;
  /** Answers in place of the registry while it is set; null of it: the registry answers. */
  answer: ((path: string) => Response | null) | null;
  readonly requests: () => readonly string[];
  job(name: string, options?: { timeout?: string }): Sample;
  stop(): void;
}

export async function startRegistry(bed: Bed): Promise<Registry> {
  const files = new Map<string, Buffer>([
    ["run.sh", Buffer.from(SCRIPT)],
    ["large.bin", Buffer.concat(Array.from({ length: 32 }, () => crypto.getRandomValues(new Uint8Array(MIB / 16))))],
  ]);
  const blobs = new Map([...files.values(), Buffer.from("{}")].map((bytes) => [digestOf(bytes), bytes]));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(Buffer.from("{}")), size: 2 },
      layers: [...files].map(([name, bytes]) => ({
        mediaType: "application/octet-stream",
        digest: digestOf(bytes),
        size: bytes.length,
        annotations: { "org.opencontainers.image.title": name },
      })),
    }),
  );
  const seen: string[] = [];
  const registry = { answer: null as Registry["answer"] };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request): Response {
      const { pathname } = new URL(request.url);
      seen.push(pathname);
      const early = registry.answer?.(pathname);
      if (early) return early;
      if (request.headers.get("authorization") !== `Basic ${btoa(`deploy:${OCI_PASSWORD}`)}`) {
        return new Response("no", { status: 401, headers: { "www-authenticate": 'Basic realm="team"' } });
      }
      if (pathname === "/v2/team/job/manifests/1") {
        return new Response(new Uint8Array(manifest), {
          headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
        });
      }
      const bytes = blobs.get(pathname.replace("/v2/team/job/blobs/", ""));
      if (bytes === undefined) return new Response("no", { status: 404 });
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
      if (from === 0) return new Response(new Uint8Array(bytes));
      const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      return new Response(new Uint8Array(bytes.subarray(from)), { status: 206, headers: { "content-range": range } });
    },
  });
  const wire = await startWire({ port: server.port ?? 0 });
  return Object.assign(registry, {
    wire,
    requests: () => seen,
    job: (name: string, options: { timeout?: string } = {}) => {
      const login = "credentials: { username: deploy, password: { env: OCI_PASSWORD } }";
      return scriptOf(bed, name, `{ oci: { ref: "127.0.0.1:${wire.port}/team/job:1", ${login} } }`, options.timeout);
    },
    stop: () => {
      wire.stop();
      void server.stop(true);
    },
  });
}

/** A job whose script is `run.sh` of the source. */
export function scriptOf(bed: Bed, name: string, source: string, timeout?: string): Sample {
  const trace = bed.path(`${name}.trace`);
  const file = bed.path(`${name}.yaml`);
  writeFileSync(
    file,
    `type: script\nname: ${name}\n${timeout ? `timeout: ${timeout}\n` : ""}spec:\n  language: shell\n  file: run.sh\n  env: { TRACE: "${trace}" }\n  source: ${source}\n`,
  );
  return sampleOf(file, trace, bed.path(`${name}.gate`));
}

/** The same script in a folder that is packed, with two MiB beside it. */
export function packedFolder(bed: Bed, name: string): Sample {
  const folder = bed.path(`${name}-folder`);
  Bun.spawnSync(["mkdir", "-p", folder]);
  writeFileSync(`${folder}/run.sh`, SCRIPT);
  writeFileSync(
    `${folder}/large.bin`,
    Buffer.concat(Array.from({ length: 32 }, () => crypto.getRandomValues(new Uint8Array(MIB / 16)))),
  );
  return scriptOf(bed, name, `{ path: ./${name}-folder }`);
}
