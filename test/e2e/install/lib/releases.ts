import type { ReleaseArtifact } from "../../../../internal/kit/release/manifest.ts";
import type { Signer } from "../../../../scripts/lib/release-signing.ts";
import { writeRelease as writeFolder } from "../../../lib/release-folder.ts";

type Platform = Pick<ReleaseArtifact, "os" | "arch" | "variant">;

/** Every build that a Linux machine of these tests may ask for. */
const EVERYWHERE: readonly Platform[] = (["x64", "arm64"] as const).flatMap((arch) => [
  { os: "linux", arch, variant: "" },
  { os: "linux", arch, variant: "musl" },
]);

/** A program as small as can be that install.sh takes for a runner: it tells its version. */
const program = (version: string) => `#!/bin/sh\necho ${version}\n`;

export interface Made {
  readonly program?: string;
  /** Default: what every machine of these tests takes. */
  readonly for?: Platform;
}

/** A signed release folder with the same small program for every machine, in milliseconds. */
export function writeRelease(folder: string, version: string, signer: Signer, made: Made = {}): void {
  const bytes = made.program ?? program(version);
  const platforms = made.for ? [made.for] : EVERYWHERE;
  writeFolder(folder, signer, { version, programs: platforms.map((platform) => ({ ...platform, bytes })) });
}
