import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { MANIFEST_LIMIT, type ManifestObject, parseManifest } from "../../../kit/manifest/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import type { DeployPlan } from "../../../protocol/nuon/plans.ts";
import type { JobContext } from "../../handler.ts";
import { emptyFolder, placeInSource } from "../source-folder.ts";
import type { ManifestWork } from "./manifest-work.ts";

type Context = JobContext<DeployPlan>;

/** A manifest as it was given. */
interface Piece {
  readonly place: string;
  readonly text: string;
}

/** Brings the manifest into the workspace when it does not lie in the plan. */
export async function fetchManifest(ctx: Context, { source }: ManifestWork): Promise<void> {
  if (source.kind === "text") return;
  const into = emptyFolder(ctx.workspace.path("source"));
  if (source.kind === "oci") await ctx.sources.oci(source, into);
  else await ctx.sources.git(source, into);
}

/** Objects of the manifest in its order, and a hash of the text. Throws RunnerError (job) that names file and document. */
export function readManifest(
  ctx: Context,
  { source }: ManifestWork,
): { readonly objects: readonly ManifestObject[]; readonly sha256: string } {
  const pieces =
    source.kind === "text"
      ? [{ place: "the manifest", text: source.text }]
      : piecesOf(placeInSource(ctx.workspace.path("source"), source.path, "the manifest"), source.path);
  const objects: ManifestObject[] = [];
  const hash = new Bun.CryptoHasher("sha256");
  for (const { place, text } of pieces) {
    const parsed = parseManifest(text, place);
    if (!parsed.ok) throw parsed.error;
    objects.push(...parsed.value);
    hash.update(JSON.stringify(text));
  }
  if (objects.length === 0) {
    throw new RunnerError("job", "the manifest holds no object", {
      remedy: "Give at least one object; to remove what was applied, use operation: destroy.",
    });
  }
  return { objects, sha256: hash.digest("hex") };
}

/** One file, or every manifest directly in a folder, by name. */
function piecesOf(path: string, said: string): Piece[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new RunnerError("job", `the manifest: its source has no ${said}`);
  const files = found.isDirectory()
    ? readdirSync(path, { withFileTypes: true })
        .filter((one) => one.isFile() && /\.(ya?ml|json)$/i.test(one.name))
        .map((one) => join(path, one.name))
        .sort()
    : [path];
  let bytes = 0;
  return files.map((file) => {
    bytes += statSync(file).size;
    if (bytes > MANIFEST_LIMIT) throw new RunnerError("job", `the manifest has more than ${MANIFEST_LIMIT} bytes`);
    return { place: basename(file), text: readFileSync(file, "utf8") };
  });
}
