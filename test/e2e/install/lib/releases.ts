import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { latestText, signedLatest } from "../../../../internal/kit/release/latest.ts";
import type { ReleaseArtifact } from "../../../../internal/kit/release/manifest.ts";
import { sha256 } from "../../../../scripts/lib/release-programs.ts";
import { opensshSignature, rawSignature, type Signer } from "../../../../scripts/lib/release-signing.ts";
import { writeRelease as writeFolder } from "../../../lib/release-folder.ts";

type Platform = Pick<ReleaseArtifact, "os" | "arch" | "variant">;

/** Every build that a Linux machine of these tests may ask for. */
const EVERYWHERE: readonly Platform[] = (["x64", "arm64"] as const).flatMap((arch) => [
  { os: "linux", arch, variant: "" },
  { os: "linux", arch, variant: "musl" },
]);

/** A program as small as can be that install.sh takes for a runner: it tells its version. */
const program = (version: string) => `#!/bin/sh\necho ${version}\n`;

interface Made {
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

/**
 * A program that notes in /var/log/asked what it is asked to do, and gives a token: the real one's service and identity
 * have tests of their own. Sick while there is a file /sick.
 */
export const notingProgram = (version: string): string => `#!/bin/sh
case "$1 $2" in
"version ") echo ${version} ;;
"mng fetch-token")
  echo "$*" >>/var/log/asked
  while [ $# -gt 0 ]; do [ "$1" != --token-file ] || file=$2; shift; done
  echo by-identity >"$file" ;;
"service install") echo "$*" >>/var/log/asked && echo nothing to write ;;
"service status") test ! -e /sick ;;
*) echo "$*" >>/var/log/asked ;;
esac
`;

/** install.sh with key and version in it, as a release has it. */
export function writeInstaller(folder: string, signer: Signer, version: string): void {
  const text = readFileSync(join(import.meta.dir, "../../../../install.sh"), "utf8");
  const words: Record<string, string> = { "@RELEASE_KEY@": signer.trusted.spki, "@RELEASE_VERSION@": version };
  writeFileSync(
    join(folder, "install.sh"),
    text.replace(/@RELEASE_[A-Z]+@/g, (word) => words[word] ?? word),
  );
}

/** A signed `latest` that names a version, for what lies in `folder`; for nothing when it is left out. */
export function latestFor(version: string, signer: Signer, folder?: string): string {
  const sums = folder === undefined ? "0".repeat(64) : sha256(readFileSync(join(folder, "SHA256SUMS")));
  const text = latestText({ version, made: "2026-11-21T00:00:00.000Z", sums });
  return signedLatest(text, rawSignature(signer, Buffer.from(text)), opensshSignature(signer, Buffer.from(text)));
}
