import { mkdir, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { type ExtraProtocol, type GitAddress, gitAddress } from "./address.ts";
import type { Git } from "./command.ts";

export interface Submodule {
  readonly path: string;
  readonly address: GitAddress;
  readonly commit: string;
}

/** More are refused: no honest repository has them, and each costs a fetch. */
const MOST = 100;
/** As much of an answer as is kept; a longer list has lost its beginning. */
const LIST_LIMIT = 60_000;

/**
 * The submodules a commit names, with addresses checked like any other. `git submodule` is not used: what it does hangs
 * on files that the repository brings. Throws RunnerError `job`.
 */
export async function submodulesOf(
  at: { readonly gitDir: string; readonly commit: string; readonly address: GitAddress },
  allow: readonly ExtraProtocol[],
  git: Git,
): Promise<readonly Submodule[]> {
  const { gitDir, commit, address } = at;
  const file = await git(["ls-tree", "-z", commit, "--", ".gitmodules"], { gitDir });
  if (file.stdout === "") return [];
  if (!file.stdout.startsWith("100")) throw bad(".gitmodules is not a plain file");
  const listed = await git(
    ["config", "--blob", `${commit}:.gitmodules`, "-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"],
    { gitDir, mayFail: true },
  );
  if (listed.code > 1) throw bad(".gitmodules cannot be read");
  if (listed.stdout.length > LIST_LIMIT) throw bad("it has too many submodules");
  const places = entriesOf(listed.stdout);
  if (places.length > MOST) throw bad(`it has more than ${MOST} submodules`);
  const found: Submodule[] = [];
  for (const { path, url } of places) {
    const pinned = await commitAt(path, gitDir, commit, git);
    // An entry whose folder is gone: git itself passes it over too.
    if (pinned === null) continue;
    if (url === null) throw bad(`the submodule ${JSON.stringify(path)} has no url`);
    found.push({ path, commit: pinned, address: addressOf(url, path, address, allow) });
  }
  return found;
}

/** The folder of a submodule, made; a link on the way would carry it somewhere else. */
export async function submoduleFolder(root: string, path: string): Promise<string> {
  const top = await realpath(root);
  const place = join(top, path);
  await mkdir(dirname(place), { recursive: true });
  const parent = await realpath(dirname(place));
  if (parent !== dirname(place) || !place.startsWith(top + sep)) throw bad(`the submodule ${path} lies behind a link`);
  await mkdir(place, { recursive: true });
  if ((await realpath(place)) !== place) throw bad(`the submodule ${path} lies behind a link`);
  return place;
}

/** `path` and `url` by the name of the submodule; where one is set twice the last counts, as with git. */
function entriesOf(text: string): readonly { readonly path: string; readonly url: string | null }[] {
  const byName = new Map<string, { path?: string; url?: string }>();
  for (const entry of text.split("\0").filter(Boolean)) {
    const newline = entry.indexOf("\n");
    const key = newline === -1 ? entry : entry.slice(0, newline);
    const dot = key.lastIndexOf(".");
    const name = key.slice(0, dot);
    byName.set(name, { ...byName.get(name), [key.slice(dot + 1)]: newline === -1 ? "" : entry.slice(newline + 1) });
  }
  return [...byName.values()].flatMap(({ path, url }) => (path ? [{ path, url: url || null }] : []));
}

/** null: the commit has no submodule there. */
async function commitAt(path: string, gitDir: string, commit: string, git: Git): Promise<string | null> {
  const odd = path.split("/").some((part) => part === "" || part === "." || part === ".." || /^\.git$/i.test(part));
  if (odd || path.startsWith("-") || /[\0-\x1f\x7f]/.test(path)) {
    throw bad(`the submodule path ${JSON.stringify(path)} is not a plain path inside the repository`);
  }
  const { stdout } = await git(["--literal-pathspecs", "ls-tree", "-z", commit, "--", path], { gitDir });
  return /^160000 commit ([0-9a-f]{40,64})\t/.exec(stdout)?.[1] ?? null;
}

function addressOf(url: string, path: string, parent: GitAddress, allow: readonly ExtraProtocol[]): GitAddress {
  const full = /^\.\.?\//.test(url) ? relativeTo(parent.url, url) : url;
  if (full === null) throw bad(`the address ${JSON.stringify(url)} of the submodule ${path} leads above its server`);
  try {
    const address = gitAddress(full, allow);
    const same =
      address.login === null && parent.login !== null && URL.parse(address.url)?.origin === parent.login.origin;
    return same ? { ...address, login: parent.login, secrets: parent.secrets } : address;
  } catch (cause) {
    if (!(cause instanceof RunnerError)) throw cause;
    throw new RunnerError("job", `the submodule ${path}: ${cause.message}`, {
      ...(cause.remedy === undefined ? {} : { remedy: cause.remedy }),
      cause,
    });
  }
}

/** `../other` counts from the address of the repository itself. null: it goes up further than there is way. */
function relativeTo(base: string, url: string): string | null {
  const [, head = "", way = ""] =
    /^([a-z]+:\/\/[^/]*\/)(.*)$/.exec(base) ?? /^([^/@]+@[^:]+:)(.*)$/.exec(base) ?? /^(\/)(.*)$/.exec(base) ?? [];
  const steps = way.split("/").filter(Boolean);
  for (const part of url.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") steps.push(part);
    else if (steps.pop() === undefined) return null;
  }
  return head === "" || steps.length === 0 ? null : head + steps.join("/");
}

const bad = (why: string) =>
  new RunnerError("job", `the submodules of the repository are refused: ${why}`, {
    remedy: "correct .gitmodules, or leave `submodules` out",
  });
