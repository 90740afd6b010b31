import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogReader } from "../../internal/kit/logs/reader.ts";
import { encodeRecord } from "../../internal/kit/logs/records.ts";
import type { LogBatch, LogRecord } from "../../internal/kit/logs/types.ts";
import { createRedactor, type Redactor } from "../../internal/kit/secrets/redactor.ts";
import { fuzz, type Random } from "./seeded.ts";

const NONCE = "0123456789abcdef";
const folder = mkdtempSync(join(tmpdir(), "log-reader-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const own = (text: string, fields: LogRecord["attributes"] = {}) => encodeRecord(NONCE, 7n, "info", text, fields);

interface Run {
  readonly redactor?: Redactor;
  readonly maxLinesPerRecord?: number;
  readonly windowBytes?: number;
  /** A new reader for every batch, as after a restart. */
  readonly restarts?: boolean;
  readonly partial?: () => boolean;
  readonly calm?: () => boolean;
}

/** Read a file that grows to each of `ends`; the last one is final. */
function readAll(bytes: Uint8Array, ends: readonly number[], run: Run = {}): LogBatch[] {
  const path = join(folder, "output");
  writeFileSync(path, bytes);
  const fd = openSync(path, "r");
  const redactor = run.redactor ?? createRedactor();
  const { maxLinesPerRecord, windowBytes } = run;
  const create = () => createLogReader({ fd, nonce: NONCE, redactor, maxLinesPerRecord, windowBytes });
  let reader = create();
  const batches: LogBatch[] = [];
  let position = 0;
  for (const end of [...ends, bytes.length]) {
    const final = end === bytes.length;
    for (;;) {
      const flags = { partial: run.partial?.() ?? false, calm: run.calm?.() ?? false };
      const batch = reader.read(position, { end, closed: final, torn: false, ...flags });
      if (!batch) break;
      expect(batch.from).toBe(position);
      expect(batch.to).toBeGreaterThan(position);
      expect(batch.to).toBeLessThanOrEqual(end);
      batches.push(batch);
      position = batch.to;
      if (run.restarts) reader = create();
    }
  }
  closeSync(fd);
  expect(position).toBe(bytes.length);
  return batches;
}

const recordsOf = (batches: readonly LogBatch[]) => batches.flatMap((batch) => batch.records);
const joined = (records: readonly LogRecord[]) =>
  records.map((record) => record.text + (record.partial ? "" : "\n")).join("");
const toolText = (batches: readonly LogBatch[]) => joined(recordsOf(batches).filter((it) => it.source === "tool"));
const ownTexts = (batches: readonly LogBatch[]) =>
  recordsOf(batches).flatMap((record) => (record.source === "runner" ? [record.text] : []));

describe("output of a tool", () => {
  const input = "one\r\n10%\r20%\r100%\r\n\nünïcode ✓ 🔑\nlast without end";
  const output = "one\n10%\r20%\r100%\n\nünïcode ✓ 🔑\nlast without end";

  test("lines, progress bars and characters survive a read that ends at any byte", () => {
    const bytes = Buffer.from(input);
    for (let end = 0; end < bytes.length; end++) {
      for (const partial of [false, true]) {
        const batches = readAll(bytes, [end], { partial: () => partial, restarts: true });
        expect(toolText(batches)).toBe(output);
      }
    }
  });

  test("an unfinished line waits until it is final or old enough", () => {
    const bytes = Buffer.from("done\nnot yet");
    const [first, last] = readAll(bytes, [bytes.length - 1]);
    expect(first?.records.map((record) => record.text)).toEqual(["done"]);
    expect(last?.records.map(({ text, partial }) => ({ text, partial }))).toEqual([{ text: "not yet", partial: true }]);
  });

  test("fast output shares records of up to 64 KiB; servers of single lines get single lines", () => {
    const bytes = Buffer.from("a line of forty characters, more or less\n".repeat(10_000));
    const shared = recordsOf(readAll(bytes, []));
    expect(shared.length).toBeLessThan(10);
    expect(Math.max(...shared.map((record) => record.text.length))).toBeLessThanOrEqual(65_536);
    expect(joined(shared)).toBe(bytes.toString());
    const single = recordsOf(readAll(bytes, [], { maxLinesPerRecord: 1 }));
    expect(single.length).toBe(10_000);
    expect(joined(single)).toBe(bytes.toString());
    expect(recordsOf(readAll(bytes, [], { maxLinesPerRecord: 30 })).length).toBe(334);
  });

  test("invalid bytes become replacement characters, a byte order mark stays", () => {
    const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x80, 0x62, 0x0a, 0xe2, 0x82, 0x0a]);
    expect(toolText(readAll(bytes, []))).toBe("\ufeffa\ufffd\ufffdb\n\ufffd\n");
  });

  test("a line longer than the window is cut into partial records without loss, at every window size", () => {
    const bytes = Buffer.from(`short\n${"long ✓ line with 🔑 ".repeat(30)}\r\nend\n`);
    for (let windowBytes = 20; windowBytes < 120; windowBytes++) {
      const batches = readAll(bytes, [], { windowBytes, restarts: true });
      expect(toolText(batches)).toBe(bytes.toString().replace("\r\n", "\n"));
      for (const record of recordsOf(batches)) expect(record.text).not.toContain("\ufffd");
    }
  });

  test("a batch never holds more than 1 MiB of text, also when markers are longer than secrets", () => {
    const redactor = createRedactor();
    redactor.register("abcd");
    const bytes = Buffer.from("abcd\n".repeat(300_000));
    const batches = readAll(bytes, [], { redactor });
    for (const batch of batches) {
      const size = batch.records.reduce((sum, record) => sum + Buffer.byteLength(record.text), 0);
      expect(size).toBeLessThanOrEqual(1 << 20);
    }
    expect(toolText(batches)).toBe("[redacted]\n".repeat(300_000));
  });
});

describe("the runner's own lines", () => {
  test("are lifted out in order, also from within a tool's line, wherever a read ends", () => {
    const text = `${own("first")}tool a\nhalf ✓${own("second", { step: "init" })} other half\n${own("third")}end`;
    const bytes = Buffer.from(text);
    const expected = [
      ["runner", "first", false],
      ["tool", "tool a\n", true],
      ["tool", "half ✓", true],
      ["runner", "second", false],
    ];
    for (let end = 0; end <= bytes.length; end++) {
      const batches = readAll(bytes, end < bytes.length ? [end] : [], { restarts: true });
      expect(ownTexts(batches)).toEqual(["first", "second", "third"]);
      expect(toolText(batches)).toBe("tool a\nhalf ✓ other half\nend");
      const before = recordsOf(batches);
      const second = before.findIndex((record) => record.text === "second");
      const tool = before.slice(0, second).filter((record) => record.source === "tool");
      expect(joined(tool)).toBe(`${expected[1]?.[1]}${expected[2]?.[1]}`);
      expect(tool.at(-1)?.partial).toBe(true);
      expect(before[second]?.attributes).toEqual({ step: "init" });
    }
  });

  test("cannot be forged without the nonce", () => {
    const forged = `\x1ewrong {"t":"1","s":"info","m":"trust me","f":{}}\n`;
    const batches = readAll(Buffer.from(forged), []);
    expect(ownTexts(batches)).toEqual([]);
    expect(toolText(batches)).toBe(forged);
  });

  test("one that a full disk cut short is shown as it is, and the next one is whole", () => {
    const torn = own("torn").slice(0, 30);
    const batches = readAll(Buffer.from(`${torn}${own("next")}tool\n`), []);
    expect(ownTexts(batches)).toEqual([torn.slice(NONCE.length + 2), "next"]);
    expect(recordsOf(batches)[0]?.attributes).toEqual({ "runner.torn": true });
    expect(toolText(batches)).toBe("tool\n");
  });

  test("are redacted in text and fields, and do not hide a secret that they interrupt", () => {
    const redactor = createRedactor();
    redactor.register("hunter2!");
    const bytes = Buffer.from(`a hunt${own("saw hunter2!", { at: "x hunter2! y" })}er2! b\n`);
    for (let end = 0; end < bytes.length; end++) {
      const batches = readAll(bytes, [end], { redactor, restarts: true, partial: () => true });
      expect(toolText(batches)).toBe("a [redacted] b\n");
      expect(ownTexts(batches)).toEqual(["saw [redacted]"]);
      const line = recordsOf(batches).find((record) => record.source === "runner");
      expect(line?.attributes).toEqual({ at: "x [redacted] y" });
    }
  });

  test("stamp everything in the order of the file", () => {
    const bytes = Buffer.from(`a\n${own("one")}b\n${own("two")}c\n`);
    const times = recordsOf(readAll(bytes, [])).map((record) => record.time);
    expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(new Set(times).size).toBe(times.length);
  });
});

describe("secrets in a file that is still written", () => {
  const secrets = ["correct horse battery", "line one of the key\nline two of the key\nend"];
  const redactor = createRedactor();
  redactor.register(...secrets);
  const base64 = Buffer.from(`user:${secrets[0]}`).toString("base64");
  const input = Buffer.from(
    `start\nkey: ${secrets[1]}\n${base64.replace(/.{8}/g, "$&\n")}\n${secrets[0]}\rcorrect horse\nline one of the key\n`,
  );
  const expected = Buffer.from(redactor.redactBytes(input)).toString();

  test("are masked wherever a read ends and wherever reading starts again", () => {
    for (let end = 0; end < input.length; end++) {
      for (const partial of [false, true]) {
        expect(toolText(readAll(input, [end], { redactor, restarts: true, partial: () => partial }))).toBe(expected);
        const calm = readAll(input, [end], { redactor, restarts: true, partial: () => partial, calm: () => true });
        // At most three characters that end a line may have been let go.
        expect(toolText(calm).replace("dXNlcjpj\n[", "dXNlcjp[")).toBe(expected);
      }
    }
  });

  test("a complete line is shown once the writer pauses, though it ends like the beginning of wrapped base64", () => {
    const first = Buffer.from(secrets[0] ?? "")
      .toString("base64")
      .slice(0, 1);
    const bytes = Buffer.from(`ready ${first}\nmore`);
    const at = (calm: boolean) => readAll(bytes, [bytes.length - 4], { redactor, calm: () => calm })[0]?.to;
    expect(at(true)).toBe(bytes.length - 4);
    expect(at(false)).toBeGreaterThan(bytes.length - 4);
  });
});

test("random files: growth, restarts, small windows and flags never change the text", () => {
  fuzz(500, (random) => {
    const secrets = Array.from({ length: random.int(4) }, () => randomText(random, "ab\n%", 4 + random.int(5)));
    const redactor = createRedactor();
    redactor.register(...secrets.map((secret) => `x${secret}y`));
    const pieces = Array.from({ length: 1 + random.int(20) }, () => randomPiece(random, secrets));
    const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
    const tool = Buffer.concat(pieces.flatMap((piece) => (piece.own === null ? [piece.bytes] : [])));
    const reference = Buffer.from(redactor.redactBytes(tool)).toString("utf8").replace(/\r+\n/g, "\n");
    const lines = pieces.flatMap((piece) => (piece.own === null ? [] : [redactor.redactText(piece.own)]));
    const ends = Array.from({ length: random.int(6) }, () => random.int(bytes.length + 1)).sort((a, b) => a - b);
    const windowBytes = random.int(2) === 0 ? undefined : 400 + random.int(200);
    const run = { redactor, restarts: random.int(2) === 0, partial: () => random.int(2) === 0 };
    const batches = readAll(
      bytes,
      ends.filter((end) => end < bytes.length),
      windowBytes ? { ...run, windowBytes } : run,
    );
    // A line of the runner between CR and LF keeps the CR.
    expect(toolText(batches).replace(/\r+\n/g, "\n")).toBe(reference);
    expect(ownTexts(batches)).toEqual(lines);
  });
});

function randomText(random: Random, alphabet: string, length: number): string {
  return Array.from({ length }, () => random.pick([...alphabet])).join("");
}

function randomPiece(random: Random, secrets: readonly string[]): { bytes: Buffer; own: string | null } {
  const tool = (text: string) => ({ bytes: Buffer.from(text), own: null });
  switch (random.int(6)) {
    case 0: {
      const text = randomText(random, 'abxy"\n', random.int(12));
      return { bytes: Buffer.from(own(text)), own: text };
    }
    case 1:
      return tool(secrets.length === 0 ? "x" : `x${random.pick(secrets)}y`);
    case 2:
      return tool(secrets.length === 0 ? "\r" : `x${random.pick(secrets)}`.slice(0, 1 + random.int(6)));
    case 3:
      return tool(randomText(random, "é✓🔑a", random.int(20)));
    case 4:
      return tool(`\x1e${NONCE}`.slice(0, random.int(17)));
    default:
      return tool(randomText(random, "abxy \r\n", random.int(40)));
  }
}
