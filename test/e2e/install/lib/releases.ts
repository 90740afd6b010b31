import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifactFile, type ReleaseArtifact, type ReleaseManifest } from "../../../../internal/kit/release/manifest.ts";
import { signFolder } from "../../../../scripts/lib/release-folder.ts";
import { type Signer, signerOf } from "../../../../scripts/lib/release-signing.ts";

export const newSigner = (): Signer => signerOf(generateKeyPairSync("ed25519").privateKey);

/** A program as small as can be that install.sh takes for a runner: it tells its version. */
const program = (version: string) => `#!/bin/sh\necho ${version}\n`;

export interface Made {
  /** Its program, as text; default: one that tells its version. */
  readonly program?: string;
  /** Said of it in release.json; default: what every machine of these tests takes. */
  readonly for?: Pick<ReleaseArtifact, "os" | "arch" | "variant">;
  /** Changes what is signed. */
  readonly spoil?: (folder: string, file: string) => void;
}

/** Every build that a Linux machine may ask for, all of them the same script. */
const EVERYWHERE: readonly Pick<ReleaseArtifact, "os" | "arch" | "variant">[] = (["x64", "arm64"] as const).flatMap(
  (arch) => [
    { os: "linux", arch, variant: "" },
    { os: "linux", arch, variant: "musl" },
  ],
);

/** A signed release folder in the form of `npm run release`, in milliseconds. */
export function writeRelease(folder: string, version: string, signer: Signer, made: Made = {}): void {
  mkdirSync(folder, { recursive: true });
  const text = Buffer.from(made.program ?? program(version));
  const artifacts = (made.for ? [made.for] : EVERYWHERE).map((platform) => {
    const file = artifactFile(version, platform);
    writeFileSync(join(folder, file), text);
    return { file, ...platform, size: text.length, sha256: createHash("sha256").update(text).digest("hex") };
  });
  const manifest: ReleaseManifest = {
    schema: 1,
    version,
    commit: "",
    made: new Date(0).toISOString(),
    artifacts,
    tools: [],
  };
  writeFileSync(join(folder, "release.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(join(folder, "release.pub"), signer.publicText);
  signFolder(folder, signer);
  made.spoil?.(folder, artifacts[0]?.file ?? "");
}
