import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { artifactFile, type ReleaseArtifact } from "../../internal/kit/release/manifest.ts";
import { signFolder } from "../../scripts/lib/release-folder.ts";
import { writeLatest } from "../../scripts/lib/release-latest.ts";
import { sha256 } from "../../scripts/lib/release-programs.ts";
import { type Signer, signerOf } from "../../scripts/lib/release-signing.ts";

export const newSigner = (): Signer => signerOf(generateKeyPairSync("ed25519").privateKey);

export interface ReleaseContent {
  readonly version: string;
  /** Platform → bytes of its program. */
  readonly programs: readonly (Pick<ReleaseArtifact, "os" | "arch" | "variant"> & {
    readonly bytes: Uint8Array | string;
  })[];
  readonly files?: Readonly<Record<string, string>>;
  /** Changed after the list was signed. */
  readonly tamper?: (folder: string) => void;
}

/** A signed release folder, as `npm run release` writes it, around any bytes. */
export function writeRelease(folder: string, signer: Signer, content: ReleaseContent): void {
  mkdirSync(folder, { recursive: true });
  const artifacts = content.programs.map(({ os, arch, variant, bytes }) => {
    const file = artifactFile(content.version, { os, arch, variant });
    writeFileSync(join(folder, file), bytes);
    chmodSync(join(folder, file), 0o755);
    const stored = readFileSync(join(folder, file));
    return { file, os, arch, variant, size: stored.length, sha256: sha256(stored) };
  });
  const made = "2026-11-21T00:00:00.000Z";
  const manifest = { schema: 1, version: content.version, commit: "", made, artifacts, tools: [] };
  writeFileSync(join(folder, "release.json"), JSON.stringify(manifest));
  writeFileSync(join(folder, "release.pub"), signer.publicText);
  for (const [file, text] of Object.entries(content.files ?? {})) writeFileSync(join(folder, file), text);
  signFolder(folder, signer);
  content.tamper?.(folder);
}

/** Signs the release of a folder of releases as its newest. */
export const signLatest = (releases: string, version: string, signer: Signer): void =>
  writeLatest(join(releases, version), signer);

export interface ReleaseHost {
  readonly url: string;
  /** Paths that were asked for, decoded, in order. */
  readonly asked: readonly string[];
  /** What happens to the next requests of a path, one each. */
  script(path: string, ...answers: readonly ((response: ServerResponse, file: Buffer) => void)[]): void;
  end(): Promise<void>;
}

/** Serves a folder over HTTP on loopback, byte ranges too. */
export async function serveReleases(root: string): Promise<ReleaseHost> {
  const asked: string[] = [];
  const scripts = new Map<string, ((response: ServerResponse, file: Buffer) => void)[]>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname);
    asked.push(path);
    const file = fileOf(join(root, path));
    const scripted = scripts.get(path)?.shift();
    if (scripted) return scripted(response, file ?? Buffer.alloc(0));
    if (file === null) return void response.writeHead(404).end("not found");
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": file.length - from });
    response.end(file.subarray(from));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    asked,
    script: (path, ...answers) => void scripts.set(path, [...(scripts.get(path) ?? []), ...answers]),
    end: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function fileOf(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}
