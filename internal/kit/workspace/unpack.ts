import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, lstat, mkdir, open, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { EXTRAS, extrasSchema, type Manifest, MODES, manifestSchema, modesSchema, TITLE } from "./artifact.ts";

/** Content of a blob; `size` is what the manifest says. Throws RunnerError. */
export type GetBlob = (digest: string, size: number) => Promise<AsyncIterable<Uint8Array>>;

export interface UnpackOptions {
  /** Blobs fetched at the same time; default 4. */
  readonly concurrency?: number;
  /** Limit for the sum of all files in bytes; default 1 GiB. */
  readonly maxBytes?: number;
}

export interface Unpacked {
  readonly files: number;
  readonly bytes: number;
}

/** Larger manifests are refused unread: 20,000 files need about 5 MB. */
export const MAX_MANIFEST_BYTES = 16 * 1_048_576;

/**
 * Writes the files of an artifact into a folder and checks every digest on the way. Titles that are absolute, leave
 * the folder or come twice, and links out of it, are refused before anything is written. May be repeated over what an
 * interrupted run left. Artifacts of other builders have no annotations: plain files, 0644.
 * Throws RunnerError: `protocol` for a bad artifact, `environment` for the disk.
 */
export async function unpack(
  manifest: Uint8Array,
  getBlob: GetBlob,
  into: string,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const plan = planOf(parseManifest(manifest));
  const bytes = plan.files.reduce((sum, file) => sum + file.size, 0);
  if (bytes > (options.maxBytes ?? 1_073_741_824)) throw bad(`it holds ${bytes} bytes, which is over the limit`);
  try {
    await mkdir(into, { recursive: true, mode: 0o700 });
    const ready = new Map<string, Promise<void>>();
    await eachOf(plan.files, options.concurrency ?? 4, async (file) => {
      await ensureFolder(into, dirname(file.path), ready);
      await writeFile(join(into, file.path), file, getBlob);
    });
    for (const folder of plan.folders) await ensureFolder(into, folder, ready);
    for (const [path, target] of plan.links) {
      await ensureFolder(into, dirname(path), ready);
      await rm(join(into, path), { force: true });
      await symlink(target, join(into, path));
    }
  } catch (cause) {
    if (cause instanceof RunnerError) throw cause;
    throw new RunnerError("environment", `the artifact could not be unpacked into ${into}: ${reasonOf(cause)}`, {
      remedy: "check free disk space and the permissions of the state directory",
      cause,
    });
  }
  return { files: plan.files.length, bytes };
}

/** A few at a time; after a failure no new one starts, and it is thrown when none writes any more. */
async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      await work(item).catch((error) => {
        queue.length = 0;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** Throws RunnerError `protocol` when the bytes are not an image manifest. */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES) throw bad("its manifest is too large");
  return parseJson(new TextDecoder().decode(bytes), manifestSchema, "its manifest");
}

interface PlannedFile {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
  readonly mode: number;
}

interface Plan {
  readonly files: readonly PlannedFile[];
  readonly folders: readonly string[];
  readonly links: readonly (readonly [string, string])[];
}

function planOf(manifest: Manifest): Plan {
  const notes = manifest.annotations ?? {};
  const modes = parseJson(notes[MODES] ?? "{}", modesSchema, MODES);
  const extras = parseJson(notes[EXTRAS] ?? "{}", extrasSchema, EXTRAS);
  const modeOf = (path: string) => Number.parseInt((Object.hasOwn(modes, path) && modes[path]) || "644", 8);
  const titled = manifest.layers.map((layer) => {
    const title = layer.annotations?.[TITLE];
    if (!title) throw bad("one of its layers has no file name (it looks like an image, not like a packed folder)");
    return { path: title, digest: layer.digest, size: layer.size, mode: modeOf(title) };
  });
  const empty = (extras.files ?? []).map((path) => ({ path, digest: EMPTY, size: 0, mode: modeOf(path) }));
  const plan = {
    files: [...titled, ...empty],
    folders: extras.folders ?? [],
    links: Object.entries(extras.links ?? {}),
  };
  checkPaths(plan);
  return plan;
}

function checkPaths(plan: Plan): void {
  const leaves = new Set<string>();
  for (const path of [...plan.files.map((file) => file.path), ...plan.links.map(([path]) => path)]) {
    checkPath(path);
    if (leaves.has(path)) throw bad(`the file ${JSON.stringify(path)} is in it twice`);
    leaves.add(path);
  }
  for (const folder of plan.folders) checkPath(folder);
  // No file may lie below another file or below a link.
  for (const path of [...leaves, ...plan.folders]) {
    for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) {
      if (leaves.has(parent)) throw bad(`${JSON.stringify(parent)} is a file and a folder in it`);
    }
  }
  for (const [path, target] of plan.links) checkTarget(path, target);
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const odd = parts.some((part) => part === "" || part === "." || part === "..");
  if (odd || path.includes("\0")) {
    throw bad(`the file name ${JSON.stringify(path)} leads out of the folder or is not a plain relative path`);
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
    throw bad(`the link ${JSON.stringify(path)} leads out of the folder (to ${JSON.stringify(target)})`);
  }
}

/** Makes the folders on the way and refuses a link among them: it would carry the write somewhere else. */
async function ensureFolder(into: string, folder: string, ready: Map<string, Promise<void>>): Promise<void> {
  if (folder === ".") return;
  let made = ready.get(folder);
  if (!made) {
    made = (async () => {
      await ensureFolder(into, dirname(folder), ready);
      await mkdir(join(into, folder), { mode: 0o755 }).catch(async (error) => {
        if (!(await lstat(join(into, folder))).isDirectory()) throw error;
      });
    })();
    ready.set(folder, made);
  }
  await made;
}

async function writeFile(path: string, file: PlannedFile, getBlob: GetBlob): Promise<void> {
  await rm(path, { force: true }); // a link of an interrupted run must not be written through
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, file.mode | 0o600);
  try {
    const hash = createHash("sha256");
    let size = 0;
    if (file.size > 0) {
      for await (const chunk of await getBlob(file.digest, file.size)) {
        size += chunk.length;
        if (size > file.size) break;
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
    }
    if (size !== file.size || `sha256:${hash.digest("hex")}` !== file.digest) {
      throw bad(`the content of ${JSON.stringify(file.path)} does not match its digest`);
    }
  } finally {
    await handle.close();
  }
  await chmod(path, file.mode); // whatever the umask is
}

const EMPTY = `sha256:${createHash("sha256").digest("hex")}`;

function parseJson<T>(text: string, schema: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(`${what} is not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw bad(`${what} is not valid: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
}

function bad(why: string): RunnerError {
  return new RunnerError("protocol", `the artifact is refused: ${why}`, {
    remedy: "pack and upload the source again; if it comes from another builder, report this to its maker",
  });
}
