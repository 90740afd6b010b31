import { findRelease } from "../../../internal/kit/release/index.ts";
import type { RetryRule } from "../../../internal/protocol/retry.ts";
import { keyFor } from "../releases.ts";
import { type Finding, findings } from "./finding.ts";

export interface ReleasePlace {
  /** null: updates come from nowhere. */
  readonly base: string | null;
  /** File of --public-key. */
  readonly publicKey: string | null;
  /** PEM of a private CA. */
  readonly ca: string | null;
}

/** A person waits: one try. */
const ASK: RetryRule = { tries: 1, base_ms: 0, cap_ms: 0, timeout_ms: 10_000 };

/** Could an update be had, and is its signer trusted? Nothing but lists and signatures is fetched. */
export async function checkReleases({ base, publicKey, ca }: ReleasePlace): Promise<Finding[]> {
  if (base === null) return [];
  const say = findings("releases");
  const found = await keyed(base, publicKey, ca);
  if (found.ok) return [say.ok(`${found.value.version} at ${found.value.source.place}, signed by the trusted key`)];
  const { kind, message, remedy } = found.error;
  const what = remedy ?? "Check --release-url (RUNNER_RELEASE_URL) and the network.";
  // What is not signed as it should is not taken by any update; what is away now may be back by then.
  return [kind === "unreachable" ? say.warning(message, what) : say.failed(message, what)];
}

async function keyed(base: string, publicKey: string | null, ca: string | null) {
  const key = keyFor(publicKey);
  return key.ok ? await findRelease({ base, version: null, key: key.value, ca, rule: ASK }) : key;
}
