import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { findRelease } from "../../internal/kit/release/index.ts";
import { LATEST, latestText, signedLatest } from "../../internal/kit/release/latest.ts";
import { releaseManifest } from "../../internal/kit/release/manifest.ts";
import { SUMS } from "../../internal/kit/release/sums.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { sha256 } from "./release-programs.ts";
import { opensshSignature, rawSignature, type Signer } from "./release-signing.ts";

/** Writes `latest` beside the release in `folder`, in one step. The same release and key give the same bytes. */
export function writeLatest(folder: string, signer: Signer): void {
  const { version, made } = releaseManifest.parse(JSON.parse(readFileSync(join(folder, "release.json"), "utf8")));
  const text = latestText({ version, made, sums: sha256(readFileSync(join(folder, SUMS))) });
  const bytes = Buffer.from(text);
  const file = join(dirname(folder), LATEST);
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, signedLatest(text, rawSignature(signer, bytes), opensshSignature(signer, bytes)));
  renameSync(aside, file);
}

/** Before anything is built or signed. Throws RunnerError usage. */
export function checkNamedByVersion(folder: string, version: string): void {
  if (basename(folder) === version) return;
  throw new RunnerError("usage", `${folder} cannot be the latest: its folder must be called ${version}`, {
    remedy: "Readers look for BASE/VERSION/: name such a folder.",
  });
}

/** Signs a release that lies there as the newest. Answers its version. Throws the RunnerError of one that is not by this key. */
export async function promote(folder: string, signer: Signer): Promise<string> {
  const found = await findRelease({ base: folder, version: null, key: signer.trusted });
  if (!found.ok) throw found.error;
  checkNamedByVersion(folder, found.value.version);
  writeLatest(folder, signer);
  return found.value.version;
}
