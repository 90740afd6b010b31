import { PINNED_RELEASE_KEY, readReleaseKey } from "../internal/kit/release/release-key.ts";
import { EXIT } from "../internal/protocol/errors.ts";
import { COMMIT, TARGET } from "./lib/build-version.ts";
import type { Command } from "./lib/context.ts";

export const version: Command = async (context) => {
  if (!context.values.json) {
    context.out(context.version);
    return EXIT.done;
  }
  const key = readReleaseKey(PINNED_RELEASE_KEY, "the key in this binary");
  const facts = { commit: COMMIT, target: TARGET, release_key: key.ok ? key.value.fingerprint : null };
  context.out(JSON.stringify({ version: context.version, ...facts }));
  return EXIT.done;
};
