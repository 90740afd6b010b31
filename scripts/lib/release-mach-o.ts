import { createHash } from "node:crypto";

const MAGIC_64 = 0xfeedfacf;
const SEGMENT_64 = 0x19;
const CODE_SIGNATURE = 0x1d;
const PAGE = 4096;
const HASH_BYTES = 32;
const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const HEADER_BYTES = 88;
/** Ad hoc, as a linker signs. */
const FLAGS = 0x20002;
const IDENTIFIER = Buffer.from("a.out\0");

/**
 * A Mach-O program with a new ad-hoc signature over all of it, which macOS wants to see before it runs one. Bun 1.4.5
 * signs what it compiles for arm64 just so, but leaves a program for x64 with the signature of its own runtime, which no
 * longer fits. Throws Error when the file is laid out in another way than Bun does it.
 */
export function signMachO(program: Uint8Array): Buffer {
  const { text, linkedit, signature } = layoutOf(Buffer.from(program));
  const limit = signature.offset;
  const pages = Math.ceil(limit / PAGE);
  const hashes = HEADER_BYTES + IDENTIFIER.length;
  const directoryBytes = hashes + pages * HASH_BYTES;
  const size = 20 + directoryBytes;
  const signed = Buffer.alloc(limit + size);
  signed.set(program.subarray(0, limit));

  // The commands first: they lie in the pages that are hashed.
  signed.writeUInt32LE(size, signature.command + 12);
  const linkeditBytes = limit - linkedit.offset + size;
  signed.writeBigUInt64LE(BigInt(linkeditBytes), linkedit.command + 48);
  signed.writeBigUInt64LE(BigInt(Math.ceil(linkeditBytes / 16_384) * 16_384), linkedit.command + 32);

  const blob = [SUPER_BLOB, size, 1, 0, 20];
  const header = [CODE_DIRECTORY, directoryBytes, 0x20400, FLAGS, hashes, HEADER_BYTES, 0, pages, limit];
  // Hash size, SHA-256, platform, log2 of the page; then what this version leaves empty, up to the executable segment.
  const rest = [0x2002000c, 0, 0, 0, 0, 0, 0, 0, 0, 0, text.bytes, 0, 1];
  for (const [index, word] of [...blob, ...header, ...rest].entries()) signed.writeUInt32BE(word, limit + index * 4);
  signed.set(IDENTIFIER, limit + 20 + HEADER_BYTES);
  for (let page = 0; page < pages; page++) {
    const part = signed.subarray(page * PAGE, Math.min((page + 1) * PAGE, limit));
    signed.set(createHash("sha256").update(part).digest(), limit + 20 + hashes + page * HASH_BYTES);
  }
  return signed;
}

interface Layout {
  readonly text: { readonly bytes: number };
  readonly linkedit: { readonly command: number; readonly offset: number };
  readonly signature: { readonly command: number; readonly offset: number };
}

function layoutOf(program: Buffer): Layout {
  if (program.readUInt32LE(0) !== MAGIC_64) throw new Error("it is no Mach-O program of 64 bits");
  const found: { text?: Layout["text"]; linkedit?: Layout["linkedit"]; signature?: Layout["signature"] } = {};
  let at = 32;
  for (let left = program.readUInt32LE(16); left > 0; left--) {
    const kind = program.readUInt32LE(at);
    if (kind === CODE_SIGNATURE) found.signature = { command: at, offset: program.readUInt32LE(at + 8) };
    if (kind === SEGMENT_64) {
      const name = program.toString("latin1", at + 8, at + 24).replace(/\0+$/, "");
      const [offset, bytes] = [program.readBigUInt64LE(at + 40), program.readBigUInt64LE(at + 48)].map(Number);
      if (name === "__TEXT") found.text = { bytes: bytes ?? 0 };
      if (name === "__LINKEDIT") found.linkedit = { command: at, offset: offset ?? 0 };
    }
    at += program.readUInt32LE(at + 4);
  }
  const { text, linkedit, signature } = found;
  if (!text || !linkedit || !signature || signature.offset < linkedit.offset) {
    throw new Error("it has no place for a signature at its end");
  }
  return { text, linkedit, signature };
}
