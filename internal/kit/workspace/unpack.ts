import { createHash } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { EXTRAS, extrasSchema, type Manifest, MODES, manifestSchema, modesSchema, TITLE, UNPACK } from "./artifact.ts";
import { badArtifact, createLedger, type Ledger, shown, UNPACK_LIMITS, type UnpackLimits } from "./ledger.ts";
import { type Archive, untar } from "./untar.ts";
import { createWriter, type Writer } from "./write-entry.ts";

/** Content of a blob; `size` is what the manifest says. Throws RunnerError. */
export type GetBlob = (digest: string, size: number) => Promise<AsyncIterable<Uint8Array>>;

export interface UnpackOptions extends Partial<UnpackLimits> {
  /** Blobs fetched at the same time; default 4. */
  readonly concurrency?: number;
}

export interface Unpacked {
  readonly files: number;
  readonly bytes: number;
}

/** Larger manifests are refused unread: 20,000 files need about 5 MB. */
export const MAX_MANIFEST_BYTES = 16 * 1_048_576;

/**
 * Writes the files of an artifact into a folder and checks every digest on the way. Titles that are absolute, leave
 * the folder or come twice, and links out of it, are refused before anything is written; layers that are archives of
 * folders, as `oras push` makes them, entry by entry. After a failure nothing of it stays in a folder that was empty.
 * May be repeated over what an interrupted run left. Artifacts of other builders have no annotations: plain files, 0644.
 * Throws RunnerError: `protocol` for a bad artifact, `environment` for the disk.
 */
export async function unpack(
  manifest: Uint8Array,
  getBlob: GetBlob,
  into: string,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const ledger = createLedger({
    maxBytes: options.maxBytes ?? UNPACK_LIMITS.maxBytes,
    maxFiles: options.maxFiles ?? UNPACK_LIMITS.maxFiles,
  });
  const plan = planOf(parseManifest(manifest), ledger);
  const made = await mkdir(into, { recursive: true, mode: 0o700 });
  const wasEmpty = (await readdir(into)).length === 0;
  try {
    await write(plan, ledger, createWriter(into), getBlob, options.concurrency ?? 4);
  } catch (cause) {
    if (made !== undefined) await rm(into, { recursive: true, force: true });
    else if (wasEmpty) {
      for (const name of await readdir(into)) await rm(join(into, name), { recursive: true, force: true });
    }
    if (cause instanceof RunnerError) throw cause;
    throw new RunnerError("environment", `the artifact could not be unpacked into ${into}: ${reasonOf(cause)}`, {
      remedy: "check free disk space and the permissions of the state directory",
      cause,
    });
  }
  return { files: ledger.files, bytes: ledger.bytes };
}

async function write(plan: Plan, ledger: Ledger, writer: Writer, getBlob: GetBlob, atOnce: number): Promise<void> {
  await eachOf(plan.files, atOnce, (file) => writeFile(writer, file, getBlob));
  for (const archive of plan.archives) {
    await untar(await getBlob(archive.digest, archive.size), archive, ledger, writer);
  }
  for (const folder of plan.folders) await writer.folder(folder);
  await writer.links(ledger);
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
  if (bytes.length > MAX_MANIFEST_BYTES) throw badArtifact("its manifest is too large");
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
  readonly archives: readonly Archive[];
}

/** Layers that `helm push` makes have no file name; their media type says what they are. */
const UNTITLED: Readonly<Record<string, string>> = {
  "application/vnd.cncf.helm.chart.content.v1.tar+gzip": "chart.tgz",
  "application/vnd.cncf.helm.chart.provenance.v1.prov": "chart.tgz.prov",
};

function planOf(manifest: Manifest, ledger: Ledger): Plan {
  const notes = manifest.annotations ?? {};
  const modes = parseJson(notes[MODES] ?? "{}", modesSchema, MODES);
  const extras = parseJson(notes[EXTRAS] ?? "{}", extrasSchema, EXTRAS);
  const modeOf = (path: string) => Number.parseInt((Object.hasOwn(modes, path) && modes[path]) || "644", 8);
  const files: PlannedFile[] = [];
  const archives: Archive[] = [];
  for (const { annotations, digest, size, mediaType } of manifest.layers) {
    const title = annotations?.[TITLE] || UNTITLED[mediaType];
    if (!title) {
      throw badArtifact("one of its layers has no file name (it looks like an image, not like a packed folder)");
    }
    if (annotations?.[UNPACK] === "true") archives.push({ digest, size, folder: folderOf(title, ledger) });
    else files.push({ path: title, digest, size, mode: modeOf(title) });
  }
  for (const path of extras.files ?? []) files.push({ path, digest: EMPTY, size: 0, mode: modeOf(path) });
  for (const { path, size } of files) ledger.file(path, size);
  for (const folder of extras.folders ?? []) ledger.folder(folder);
  for (const [path, target] of Object.entries(extras.links ?? {})) ledger.link(path, target);
  return { files, archives, folders: extras.folders ?? [] };
}

function folderOf(title: string, ledger: Ledger): string {
  const folder = title.replace(/^\.\/+/, "").replace(/\/+$/, "");
  if (folder === "" || folder === ".") return ".";
  ledger.folder(folder);
  return folder;
}

async function writeFile(writer: Writer, file: PlannedFile, getBlob: GetBlob): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  await writer.file(file.path, file.mode, async (write) => {
    if (file.size === 0) return;
    for await (const chunk of await getBlob(file.digest, file.size)) {
      size += chunk.length;
      if (size > file.size) break;
      hash.update(chunk);
      await write(chunk);
    }
  });
  if (size !== file.size || `sha256:${hash.digest("hex")}` !== file.digest) {
    throw badArtifact(`the content of ${shown(file.path)} does not match its digest`);
  }
}

const EMPTY = `sha256:${createHash("sha256").digest("hex")}`;

function parseJson<T>(text: string, schema: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badArtifact(`${what} is not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw badArtifact(`${what} is not valid: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
}
