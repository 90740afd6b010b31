import { RunnerError } from "../../../protocol/errors.ts";

/** URL-safe base64 with padding: the only form Nuon's server takes (nuon-handlers.md 4.1). */
export function encodeContents(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** Bytes of a saved plan from standard, URL-safe or unpadded base64. Throws RunnerError (protocol). */
export function decodeContents(text: string): Uint8Array {
  const plain = text.replace(/\s+/g, "").replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  // Buffer skips what it cannot read: a damaged plan must not reach terraform as a different one.
  if (plain === "" || !/^[A-Za-z0-9+/]+$/.test(plain) || plain.length % 4 === 1) {
    throw new RunnerError("protocol", "the saved plan (apply_plan_contents) is not base64", {
      remedy: "Make the plan again; an apply needs what its plan job stored.",
    });
  }
  return Buffer.from(plain, "base64");
}
