import { readlink, realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { walkTree } from "../workspace/index.ts";

/**
 * Refuses a tree with a link that leads out of it, by its text or by way of another link: what the runner and the job
 * read there would be the machine's. Throws RunnerError `job` that names the link.
 */
export async function checkLinks(root: string): Promise<void> {
  const top = await realpath(root);
  const inside = (place: string) => place === top || place.startsWith(top + sep);
  for await (const { path: name, entry } of walkTree(top)) {
    if (!entry.isSymbolicLink()) continue;
    const path = join(top, name);
    const target = await readlink(path);
    const place = resolve(dirname(path), target);
    const real = await realpath(path).catch(() => place);
    if (inside(place) && inside(real)) continue;
    throw new RunnerError("job", `the link ${name} leads out of the repository (to ${target})`, {
      remedy: "remove it from the repository, or let it lead to a file of the repository",
    });
  }
}
