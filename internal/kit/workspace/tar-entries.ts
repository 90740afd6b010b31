import { badArtifact } from "./ledger.ts";

export interface TarEntry {
  readonly path: string;
  /** As the archive has it: permission bits and the three above them. */
  readonly mode: number;
  readonly size: number;
  readonly kind: "file" | "folder" | "link" | "hard link" | "device file" | "named pipe" | "special file";
  /** Of links. */
  readonly target: string;
}

const BLOCK = 512;
/** Longest extended header: a name of that length is no name. */
const HEADER_LIMIT = 262_144;
/** Padding of a block size may follow the end; a bomb may not. */
const TAIL_LIMIT = 1_048_576;

/**
 * Reads a tar stream: ustar, pax and GNU long names. `body` gets the content of each entry in pieces. Throws RunnerError
 * `protocol` for one that is damaged or ends in the middle.
 */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  visit: (entry: TarEntry, body: AsyncGenerator<Uint8Array>) => Promise<void>,
): Promise<void> {
  const input = byteReader(source);
  let extended: Record<string, string> = {};
  let longName: string | null = null;
  let longTarget: string | null = null;
  for (;;) {
    const header = await input.block();
    if (header === null) throw badArtifact("the archive ends without an end mark: half of it is missing");
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = extended.size === undefined ? numberAt(header, 124, 12) : Number(extended.size);
    if (!Number.isSafeInteger(size) || size < 0) throw badArtifact("the archive is damaged: an entry has no size");
    if (type === "x" || type === "g" || type === "L" || type === "K") {
      if (size > HEADER_LIMIT) throw badArtifact("the archive has a header that is too large");
      const text = new TextDecoder().decode(await input.bytes(size));
      await input.skip(padding(size));
      if (type === "x") extended = paxRecords(text);
      if (type === "L") longName = text.replace(/\0.*$/s, "");
      if (type === "K") longTarget = text.replace(/\0.*$/s, "");
      continue;
    }
    const prefix = textAt(header, 257, 5) === "ustar" && header[263] === 48 ? textAt(header, 345, 155) : "";
    const short = textAt(header, 0, 100);
    const entry: TarEntry = {
      path: extended.path ?? longName ?? (prefix === "" ? short : `${prefix}/${short}`),
      mode: numberAt(header, 100, 8) & 0o7777,
      kind: KINDS[type] ?? "special file",
      size: KINDS[type] === "file" ? size : 0,
      target: extended.linkpath ?? longTarget ?? textAt(header, 157, 100),
    };
    extended = {};
    longName = null;
    longTarget = null;
    const body = input.body(size);
    await visit(entry, body);
    for await (const _ of body); // what the visitor left
    await input.skip(padding(size));
  }
  if (!(await input.endsWithin(TAIL_LIMIT))) throw badArtifact("the archive goes on after its end");
}

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

const KINDS: Readonly<Record<string, TarEntry["kind"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hard link",
  "2": "link",
  "3": "device file",
  "4": "device file",
  "5": "folder",
  "6": "named pipe",
};

function checkSum(header: Uint8Array): void {
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  if (sum !== numberAt(header, 148, 8)) throw badArtifact("the archive is damaged: a header has the wrong checksum");
}

/** Octal text, or GNU's binary form for what does not fit. */
function numberAt(header: Uint8Array, at: number, length: number): number {
  if (((header[at] ?? 0) & 0x80) !== 0) {
    return header.slice(at + 1, at + length).reduce((sum, byte) => sum * 256 + byte, 0);
  }
  const text = textAt(header, at, length).trim();
  if (text !== "" && !/^[0-7]+$/.test(text)) throw badArtifact("the archive is damaged: a header holds no number");
  return Number.parseInt(text || "0", 8);
}

function textAt(header: Uint8Array, at: number, length: number): string {
  const bytes = header.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** `LENGTH KEY=VALUE\n`, one after another. */
function paxRecords(text: string): Record<string, string> {
  const bytes = new TextEncoder().encode(text);
  const found: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = Number(new TextDecoder().decode(bytes.subarray(at, space)));
    if (space === -1 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) {
      throw badArtifact("the archive is damaged: an extended header cannot be read");
    }
    const record = new TextDecoder().decode(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf("=");
    if (equals > 0) found[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return found;
}

function byteReader(source: AsyncIterable<Uint8Array>) {
  const chunks = source[Symbol.asyncIterator]();
  let left: Uint8Array = new Uint8Array();
  /** At most `want` bytes; null at the end. */
  const some = async (want: number): Promise<Uint8Array | null> => {
    while (left.length === 0) {
      const next = await chunks.next();
      if (next.done) return null;
      left = next.value;
    }
    const piece = left.subarray(0, want);
    left = left.subarray(piece.length);
    return piece;
  };
  async function* body(size: number): AsyncGenerator<Uint8Array> {
    for (let missing = size; missing > 0; ) {
      const piece = await some(missing);
      if (piece === null) throw badArtifact("the archive ends in the middle of a file");
      missing -= piece.length;
      yield piece;
    }
  }
  const bytes = async (size: number): Promise<Uint8Array> => {
    const whole = new Uint8Array(size);
    let at = 0;
    for await (const piece of body(size)) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  };
  return {
    body,
    bytes,
    skip: async (size: number) => void (await bytes(size)),
    /** null: the stream ends here. */
    block: async () => {
      const first = await some(BLOCK);
      if (first === null) return null;
      if (first.length === BLOCK) return first;
      const rest = await bytes(BLOCK - first.length);
      return Buffer.concat([first, rest]);
    },
    endsWithin: async (limit: number) => {
      let seen = 0;
      for (let piece = await some(65_536); piece !== null; piece = await some(65_536)) {
        seen += piece.length;
        if (seen > limit) return false;
      }
      return true;
    },
  };
}
