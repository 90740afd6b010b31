import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { platformName } from "../../../kit/tools/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { JobContext } from "../../handler.ts";
import { ToolError } from "../../handler.ts";

/** What terraform says of a package that the lock file does not know; it names neither sum. */
const MISMATCH =
  /package\s+for\s+(\S+?)\s+v?(\d\S*)\s+doesn't\s+match\s+any\s+of\s+the\s+checksums\s+previously\s+recorded/;

/**
 * A failed `init` of a provider whose checksum is not the one in `.terraform.lock.hcl`, told with both sums. Any other
 * error is given back as it is.
 */
export function explainSums(ctx: JobContext<unknown>, folder: string, error: unknown): unknown {
  if (!(error instanceof ToolError)) return error;
  const plain = Bun.stripANSI(error.end.tail).replace(/^[│|╷╵ ]+/gm, "");
  const [, address = "", version = ""] = MISMATCH.exec(plain) ?? [];
  if (address === "") return error;
  const expected = lockedSums(folder, address);
  const found = mirrorSum(ctx.tools.providerMirror, address, version);
  const has = found === null ? "has another checksum" : `has ${found}`;
  const reason = `the provider ${address} ${version} ${has}, expected ${expected.join(" or ")}: not used`;
  return new RunnerError("job", reason, { remedy: REMEDY, cause: error });
}

const REMEDY =
  "Check the mirror: it delivers something else than what the module was locked to. When the provider was meant to " +
  "change, or the lock file lacks this platform, run `terraform providers lock` and commit `.terraform.lock.hcl`.";

/** Hashes of a provider in the lock file: `h1:` of the unpacked files, `zh:` of the archive. */
function lockedSums(folder: string, address: string): string[] {
  const file = join(folder, ".terraform.lock.hcl");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const block = text.split(/^provider /m).find((part) => part.startsWith(`"${address}"`)) ?? "";
  return [...block.matchAll(/"((?:h1|zh):[^"]+)"/g)].map(([, sum = ""]) => sum);
}

/** Of the package as a mirror on disk has it; null: it lies elsewhere. */
function mirrorSum(mirror: string | null, address: string, version: string): string | null {
  if (mirror === null || mirror.startsWith("https://")) return null;
  const place = join(mirror, ...address.split("/"));
  const type = address.split("/").at(-1) ?? "";
  const archive = join(place, `terraform-provider-${type}_${version}_${platformName()}.zip`);
  if (existsSync(archive)) return `zh:${sha256(archive).toString("hex")}`;
  const unpacked = join(place, version, platformName());
  return statSync(unpacked, { throwIfNoEntry: false })?.isDirectory() ? `h1:${folderSum(unpacked)}` : null;
}

/** Go's `Hash1`: SHA-256 over the sorted list of each file's SHA-256 and name. */
function folderSum(folder: string): string {
  const names = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(folder, name)).isFile());
  const lines = names.sort().map((name) => `${sha256(join(folder, name)).toString("hex")}  ${name}\n`);
  return createHash("sha256").update(lines.join("")).digest("base64");
}

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest();
