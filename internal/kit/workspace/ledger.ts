import { dirname } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";

export interface UnpackLimits {
  /** Of all files together, unpacked. */
  readonly maxBytes: number;
  /** Files, links and folders together. */
  readonly maxFiles: number;
}

export const UNPACK_LIMITS: UnpackLimits = { maxBytes: 1_073_741_824, maxFiles: 100_000 };

/**
 * What an artifact or archive brings, entry by entry, before it is written. Every call throws RunnerError `protocol`
 * that names the entry when it leads out of the folder, comes twice, is in another one's way, or passes a limit.
 */
export interface Ledger {
  file(path: string, bytes: number): void;
  folder(path: string): void;
  /** Links are made last: until then nothing can be written through one. */
  link(path: string, target: string): void;
  readonly links: readonly (readonly [path: string, target: string])[];
  readonly files: number;
  readonly bytes: number;
}

/** `folding`: whether the file system takes two cases of a name for one. */
export function createLedger(
  limits: UnpackLimits,
  folding = process.platform === "darwin" || process.platform === "win32",
): Ledger {
  const kinds = new Map<string, "file" | "link" | "folder">();
  const folded = new Map<string, string>();
  const links: [string, string][] = [];
  let files = 0;
  let bytes = 0;

  const add = (path: string, kind: "file" | "link" | "folder") => {
    kinds.set(path, kind);
    if (kinds.size > limits.maxFiles) {
      throw badArtifact(`with ${shown(path)} it has more than ${limits.maxFiles} entries`, LIMIT_REMEDY);
    }
    const other = folded.get(fold(path));
    folded.set(fold(path), path);
    if (other === undefined || other === path) return;
    // A link that another case of its name leads through; two files are two files where cases count.
    if (folding || kind === "link" || kinds.get(other) === "link") {
      throw badArtifact(`${shown(other)} and ${shown(path)} differ only in upper and lower case`);
    }
  };
  const addParents = (path: string) => {
    for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
      const known = kinds.get(parent);
      if (known === "folder") return;
      if (known !== undefined) throw badArtifact(`${shown(parent)} is a file and a folder in it`);
      add(parent, "folder");
    }
  };
  const addLeaf = (path: string, kind: "file" | "link") => {
    checkPath(path);
    const known = kinds.get(path);
    if (known === "folder") throw badArtifact(`${shown(path)} is a file and a folder in it`);
    if (known !== undefined) throw badArtifact(`the file ${shown(path)} is in it twice`);
    addParents(path);
    add(path, kind);
  };

  return {
    links,
    get files() {
      return files;
    },
    get bytes() {
      return bytes;
    },
    file(path, size) {
      addLeaf(path, "file");
      files += 1;
      bytes += size;
      if (bytes > limits.maxBytes) {
        throw badArtifact(
          `with ${shown(path)} it holds ${bytes} bytes, over the limit of ${limits.maxBytes}`,
          LIMIT_REMEDY,
        );
      }
    },
    folder(path) {
      checkPath(path);
      const known = kinds.get(path);
      if (known === "folder") return;
      if (known !== undefined) throw badArtifact(`${shown(path)} is a file and a folder in it`);
      addParents(path);
      add(path, "folder");
    },
    link(path, target) {
      addLeaf(path, "link");
      checkTarget(path, target);
      links.push([path, target]);
    },
  };
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const odd = parts.some((part) => part === "" || part === "." || part === "..");
  if (odd || path.includes("\0")) {
    throw badArtifact(`the file name ${shown(path)} leads out of the folder or is not a plain relative path`);
  }
}

/** Only `..`s in front, no more than the link lies deep: then no other link can turn the target outwards. */
function checkTarget(path: string, target: string): void {
  const parts = target.split("/");
  const up = parts.findIndex((part) => part !== "..");
  const names = up === -1 ? [] : parts.slice(up);
  const depth = path.split("/").length - 1;
  const plain = target === "." || names.every((part) => part !== "" && part !== "." && part !== "..");
  if (!plain || target.includes("\0") || (up === -1 ? parts.length : up) > depth) {
    throw badArtifact(`the link ${shown(path)} leads out of the folder (to ${shown(target)})`);
  }
}

/** Letters that a file system may take for the same, made the same. */
const fold = (path: string) => path.normalize("NFKC").toLowerCase();

/** A name of somebody else's making, fit for one line. */
export const shown = (text: string) => JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);

const LIMIT_REMEDY =
  "leave out what the job does not need, or raise --source-size (RUNNER_SOURCE_SIZE) or --source-files (RUNNER_SOURCE_FILES)";

export function badArtifact(
  why: string,
  remedy = "pack and upload the source again; if it comes from another builder, report this to its maker",
): RunnerError {
  return new RunnerError("protocol", `the artifact is refused: ${why}`, { remedy });
}
