import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

/** install.sh with the key in it, as a release has it. */
export function writeInstaller(folder: string, signer: Signer): void {
  const text = readFileSync(join(import.meta.dir, "../../../../install.sh"), "utf8");
  writeFileSync(join(folder, "install.sh"), text.replace("@RELEASE_KEY@", signer.trusted.spki));
}
