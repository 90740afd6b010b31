import { statSync } from "node:fs";
import { readSigningKey, type SigningKey } from "../../internal/kit/signing/index.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { readFile } from "./read-file.ts";

/** The private key of a file. Throws RunnerError usage when it is none, or when others can read it. */
export function signingKeyOf(path: string): SigningKey {
  const read = readSigningKey(readFile(path, "signing key"), path);
  if (!read.ok) throw read.error;
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new RunnerError("usage", `others than its owner can read the signing key ${path}`, {
      remedy: `chmod 600 ${path}; if somebody may have read it, make a new one and trust that.`,
    });
  }
  return read.value;
}
