import { X509Certificate } from "node:crypto";
import { RunnerError, reasonOf } from "../../internal/protocol/errors.ts";
import { readFile } from "./read-file.ts";

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Certificates of a PEM file, in its order. Throws RunnerError usage for a file without any, or with a damaged one. */
export function readCertificates(path: string, what: string): readonly X509Certificate[] {
  const blocks = readFile(path, what).match(BLOCK) ?? [];
  if (blocks.length === 0) {
    throw new RunnerError("usage", `${what} ${path} holds no certificate`, {
      remedy: "It must hold one or more blocks that begin with -----BEGIN CERTIFICATE-----.",
    });
  }
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new RunnerError("usage", `${what} ${path} holds a certificate that cannot be read: ${reasonOf(cause)}`, {
        remedy: "Copy the file again from the authority; nothing may be missing or added.",
        cause,
      });
    }
  });
}

/** PEM of the private authorities of `--ca-file`, nothing else of the file. null: not given. Throws RunnerError usage. */
export function readCa(path: string | null): string | null {
  if (path === null) return null;
  return readCertificates(path, "CA file")
    .map((one) => one.toString())
    .join("");
}
