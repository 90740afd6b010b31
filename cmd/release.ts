import { artifactFor, checkFile, detectPlatform, findRelease, type Release } from "../internal/kit/release/index.ts";
import { EXIT } from "../internal/protocol/errors.ts";
import { readCa } from "./lib/ca-file.ts";
import { type Command, operand } from "./lib/context.ts";
import { keyFor } from "./lib/releases.ts";

/** `runner release verify PLACE [VERSION]`: reads every file of a release to its end. */
export const releaseVerify: Command = async (context) => {
  const { values, operands } = context;
  const key = keyFor(values.publicKey);
  if (!key.ok) throw key.error;
  const query = { base: operand(context), version: operands[1] ?? null, key: key.value, ca: readCa(values.caFile) };
  const found = await findRelease(query);
  if (!found.ok) throw found.error;
  const release = found.value;
  const checked = await checkAll(release);
  const here = artifactFor(release, detectPlatform());
  const facts = {
    version: release.version,
    place: release.source.place,
    commit: release.manifest.commit || null,
    made: release.manifest.made,
    key: release.fingerprint,
    files: checked,
    /** The one that runs on this machine. */
    program: here.ok ? here.value.file : null,
  };
  if (values.json) {
    context.out(JSON.stringify(facts));
    return EXIT.done;
  }
  context.out(`version ${facts.version} at ${facts.place}`);
  context.out(`signed by ${facts.key}`);
  context.out(`${checked} files are what was signed`);
  context.out(here.ok ? `program for this machine: ${here.value.file}` : here.error.message);
  return EXIT.done;
};

/** How many files there are. Throws the error of the first that is not what was signed. */
async function checkAll(release: Release): Promise<number> {
  for (const file of release.sums.keys()) {
    const checked = await checkFile(release, file);
    if (!checked.ok) throw checked.error;
  }
  return release.sums.size;
}
