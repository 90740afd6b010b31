import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  SUMS,
  SUMS_SIGNATURE,
  SUMS_SSH_SIGNATURE,
  UNSUMMED,
  writeReleaseSums,
} from "../../internal/kit/release/sums.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { sha256 } from "./release-programs.ts";
import { opensshSignature, rawSignature, type Signer } from "./release-signing.ts";

/** Lists every file of the folder with its SHA-256, and signs the list. */
export function signFolder(folder: string, signer: Signer): void {
  const files = filesOf(folder).filter((file) => !UNSUMMED.includes(file));
  const sums = new Map(files.map((file) => [file, sha256(readFileSync(join(folder, file)))]));
  const text = Buffer.from(writeReleaseSums(sums));
  writeFileSync(join(folder, SUMS), text);
  writeFileSync(join(folder, SUMS_SIGNATURE), rawSignature(signer, text));
  writeFileSync(join(folder, SUMS_SSH_SIGNATURE), opensshSignature(signer, text));
}

/** Paths below the folder. */
export function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Only a release may be replaced: a folder with anything else in it is somebody's. */
export function checkPlace(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0 || existsSync(join(folder, "release.json"))) return;
  throw new RunnerError("usage", `${folder} is not empty and no release`, {
    remedy: "Name another folder with --out.",
  });
}

/** A reader never sees half of a release. */
export function replaceFolder(from: string, to: string): void {
  const old = `${to}.old-${process.pid}`;
  if (existsSync(to)) renameSync(to, old);
  renameSync(from, to);
  rmSync(old, { recursive: true, force: true });
}
