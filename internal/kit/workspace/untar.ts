import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { badArtifact, type Ledger, shown } from "./ledger.ts";
import { readTar, type TarEntry } from "./tar-entries.ts";
import type { Writer } from "./write-entry.ts";

export interface Archive {
  readonly digest: string;
  /** Of the packed form. */
  readonly size: number;
  /** Everything in it lies in this folder; `.`: anywhere. */
  readonly folder: string;
}

/** No honest source shrinks more: a bomb ends here and not on a full disk. Counted from this many unpacked bytes on. */
const MOST_RATIO = 200;
const RATIO_FROM = 16 * 1_048_576;

/**
 * Unpacks a gzipped tar, streaming; symbolic links are left to the ledger. What would lead out of the folder, is no
 * file, folder or link, carries set-user-id bits or expands beyond all measure is refused by name. Throws RunnerError
 * `protocol`; what was written until then is the caller's to remove.
 */
export async function untar(
  packed: AsyncIterable<Uint8Array>,
  archive: Archive,
  ledger: Ledger,
  writer: Writer,
): Promise<void> {
  const hash = createHash("sha256");
  let taken = 0;
  let given = 0;
  let last = archive.folder;
  async function* counted() {
    for await (const chunk of packed) {
      taken += chunk.length;
      if (taken > archive.size) break; // said below
      hash.update(chunk);
      yield chunk;
    }
  }
  async function* measured(unpacked: AsyncIterable<Uint8Array>) {
    for await (const chunk of unpacked) {
      given += chunk.length;
      if (given > RATIO_FROM && given > archive.size * MOST_RATIO) {
        throw badArtifact(`at ${shown(last)} the archive has expanded more than ${MOST_RATIO} times`);
      }
      yield chunk;
    }
  }
  const plain = new Set<string>();
  try {
    await pipeline(Readable.from(counted()), createGunzip(), async (unpacked: AsyncIterable<Uint8Array>) => {
      await readTar(measured(unpacked), async (entry, body) => {
        last = entry.path;
        await place(entry, body, { archive, ledger, writer, plain });
      });
    });
  } catch (error) {
    if (error instanceof RunnerError) throw error;
    throw badArtifact(`the archive is damaged at ${shown(last)}: ${reasonOf(error)}`);
  }
  if (taken !== archive.size || `sha256:${hash.digest("hex")}` !== archive.digest) {
    throw badArtifact(`the content of ${shown(archive.folder)} does not match its digest`);
  }
}

interface Placing {
  readonly archive: Archive;
  readonly ledger: Ledger;
  readonly writer: Writer;
  /** Files written from this archive: what a hard link may name. */
  readonly plain: Set<string>;
}

async function place(entry: TarEntry, body: AsyncIterable<Uint8Array>, at: Placing): Promise<void> {
  const path = nameOf(entry.path, at.archive.folder);
  const { ledger, writer, plain } = at;
  if (entry.kind === "folder") {
    if (path === ".") return;
    ledger.folder(path);
    return await writer.folder(path);
  }
  if (entry.kind === "file") {
    if ((entry.mode & 0o6000) !== 0) throw badArtifact(`${shown(path)} has set-user-id or set-group-id bits`);
    ledger.file(path, entry.size);
    plain.add(path);
    return await writer.file(path, entry.mode & 0o777, async (write) => {
      for await (const chunk of body) await write(chunk);
    });
  }
  if (entry.kind === "link") return ledger.link(path, entry.target);
  if (entry.kind === "hard link") {
    const target = nameOf(entry.target, at.archive.folder);
    if (!plain.has(target)) throw badArtifact(`the hard link ${shown(path)} leads to ${shown(target)}, no file of it`);
    ledger.file(path, 0);
    plain.add(path);
    return await writer.hardLink(path, target);
  }
  throw badArtifact(`${shown(path)} is a ${entry.kind}`);
}

/** The name without the `./` in front and the `/` behind that tar writes. */
function nameOf(name: string, folder: string): string {
  const path = name.replace(/^(?:\.\/+)+/, "").replace(/\/+$/, "") || ".";
  if (folder === "." || path === folder || path.startsWith(`${folder}/`)) return path;
  throw badArtifact(`the file name ${shown(name)} leads out of the folder ${shown(folder)}`);
}
