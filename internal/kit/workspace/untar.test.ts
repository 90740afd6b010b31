import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pax, type TarItem, tar } from "../../../test/lib/tar.ts";
import { RunnerError } from "../../protocol/errors.ts";
import { digestOf } from "./index.ts";
import { createLedger } from "./ledger.ts";
import { type UnpackOptions, unpack } from "./unpack.ts";

let base: string;
const at = (...parts: string[]) => join(base, ...parts);
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "untar-"));
  mkdirSync(at("into"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** As `oras push r:1 module/` makes it: one layer that is the archive of a folder. */
async function put(packed: Uint8Array<ArrayBuffer>, options: UnpackOptions = {}, title = "module") {
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(bytesOf("{}")), size: 2 },
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: digestOf(packed),
        size: packed.length,
        annotations: { "org.opencontainers.image.title": title, "io.deis.oras.content.unpack": "true" },
      },
    ],
  };
  const getBlob = async () => new Blob([packed]).stream();
  return await unpack(bytesOf(JSON.stringify(manifest)), getBlob, at("into"), options);
}
const putItems = (items: readonly TarItem[], options?: UnpackOptions) => put(Bun.gzipSync(tar(items)), options);

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError && error.kind === "protocol") return error.message;
    throw error;
  }
  throw new Error("it was unpacked");
}
const left = () => readdirSync(at("into"), { recursive: true }).map(String).sort();

describe("the archive of a folder", () => {
  test("made by tar gives the same files, modes, links and long names", async () => {
    mkdirSync(at("module/deep/hollow"), { recursive: true });
    writeFileSync(at("module/main.tf"), "main");
    writeFileSync(at("module/empty"), "");
    writeFileSync(at("module/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    const long = `${"long/".repeat(40)}name`;
    mkdirSync(at("module", long, ".."), { recursive: true });
    writeFileSync(at("module", long), "long");
    Bun.spawnSync(["sh", "-c", "ln -s ../main.tf module/deep/link && ln module/main.tf module/hard"], { cwd: base });
    for (const format of ["gnu", "pax", "ustar"]) {
      const made = Bun.spawnSync(["tar", `--format=${format}`, "-czf", "m.tgz", "./module"], { cwd: base });
      expect(made.exitCode).toBe(0);
      const { files } = await put(new Uint8Array(readFileSync(at("m.tgz"))));
      expect(files).toBe(5);
      expect(readFileSync(at("into/module/hard"), "utf8")).toBe("main");
      expect(statSync(at("into/module/run.sh")).mode & 0o777).toBe(0o755);
      expect(readlinkSync(at("into/module/deep/link"))).toBe("../main.tf");
      expect(lstatSync(at("into/module/deep/hollow")).isDirectory()).toBe(true);
      expect(readFileSync(at("into/module", long), "utf8")).toBe("long");
      rmSync(at("into"), { recursive: true });
      mkdirSync(at("into"));
    }
  });

  const file = (name: string, content = "x"): TarItem => ({ name: `module/${name}`, content });
  const outside = () => at("outside");

  test.each<[string, readonly TarItem[], string]>([
    ["a name with ..", [{ name: "module/../../out", content: "x" }], '"module/../../out"'],
    ["an absolute name", [{ name: "/etc/out", content: "x" }], '"/etc/out"'],
    ["a name beside its folder", [{ name: "other/x", content: "x" }], '"other/x" leads out of the folder "module"'],
    ["an extended header with ..", [pax({ path: "module/../../out" }), file("a")], '"module/../../out"'],
    ["a link out", [{ name: "module/l", type: "2", target: "../../out" }], 'the link "module/l" leads out'],
    ["an absolute link", [{ name: "module/l", type: "2", target: "/etc/passwd" }], '(to "/etc/passwd")'],
    [
      "a file through a link before it",
      [{ name: "module/l", type: "2", target: "." }, file("l/x")],
      '"module/l" is a file and a folder',
    ],
    [
      "a link through another link",
      [
        { name: "module/d/up", type: "2", target: ".." },
        { name: "module/l", type: "2", target: "d/up/../../out" },
      ],
      'the link "module/l" leads out',
    ],
    ["a hard link out", [{ name: "module/h", type: "1", target: "/etc/passwd" }], '"/etc/passwd" leads out'],
    ["a hard link to nothing of it", [{ name: "module/h", type: "1", target: "module/none" }], "no file of it"],
    [
      "a hard link to a link",
      [
        { name: "module/l", type: "2", target: "x" },
        { name: "module/h", type: "1", target: "module/l" },
      ],
      "no file of it",
    ],
    ["a character device", [{ name: "module/null", type: "3" }], '"module/null" is a device file'],
    ["a block device", [{ name: "module/sda", type: "4" }], '"module/sda" is a device file'],
    ["a pipe", [{ name: "module/p", type: "6" }], '"module/p" is a named pipe'],
    ["an entry of an unknown kind", [{ name: "module/s", type: "S" }], '"module/s" is a special file'],
    ["a set-user-id file", [{ ...file("su"), mode: 0o4755 }], '"module/su" has set-user-id'],
    ["a set-group-id file", [{ ...file("sg"), mode: 0o2755 }], '"module/sg" has set-user-id or set-group-id'],
    ["the same name twice", [file("a"), file("a")], '"module/a" is in it twice'],
    ["a file in the place of a folder", [file("a/b"), file("a")], '"module/a" is a file and a folder'],
    [
      "a name that a link has in other letters",
      [{ name: "module/Lib", type: "2", target: "." }, file("lib/x")],
      '"module/Lib" and "module/lib" differ only in upper and lower case',
    ],
    ["a name with NUL", [pax({ path: "module/a\0b" }), file("a")], "not a plain relative path"],
    ["a header that lies about its length", [{ ...file("a"), size: 4_000_000 }], "ends in the middle of a file"],
  ])("with %s is refused by name, and nothing of it stays", async (_, items, reason) => {
    const message = await refusal(putItems([file("first", "harmless"), ...items]));
    expect(message).toContain(reason);
    expect(left()).toEqual([]);
    expect(existsSync(outside())).toBe(false);
    expect(readdirSync(base)).toEqual(["into"]);
  });

  test("that is cut, flipped, or something else is refused, and nothing of it stays", async () => {
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(50_000)));
    const whole = Bun.gzipSync(tar([{ name: "module/a", content: noise }, file("b")]));
    const plain = tar([file("a"), file("b")]);
    const flipped = Uint8Array.from(plain);
    flipped[0] = 0x6e;
    const cases = {
      cut: [whole.slice(0, 20_000), "damaged"],
      "cut in the trailer": [whole.slice(0, -6), "damaged"],
      "no gzip": [plain, "damaged"],
      "a web page": [bytesOf("<html>"), "damaged"],
      "no end": [Bun.gzipSync(tar([file("a")], { end: false })), "without an end mark"],
      "a flipped header": [Bun.gzipSync(flipped), "wrong checksum"],
      "more after the end": [Bun.gzipSync(Buffer.concat([plain, Buffer.alloc(2_000_000)])), "goes on after its end"],
      empty: [new Uint8Array(), "damaged"],
    } as const;
    for (const [name, [bytes, reason]] of Object.entries(cases)) {
      expect([name, await refusal(put(new Uint8Array(bytes)))]).toEqual([name, expect.stringContaining(reason)]);
      expect(left()).toEqual([]);
    }
  });

  test("that is a bomb is refused at the file that passes the limit", async () => {
    const big = Bun.gzipSync(tar([file("small"), { name: "module/big", content: new Uint8Array(40_000_000) }]));
    expect(await refusal(put(big))).toMatch(/at "module\/big" the archive has expanded more than 200 times/);
    expect(left()).toEqual([]);
    const size = await refusal(putItems([file("a", "12345"), file("b", "12345")], { maxBytes: 9 }));
    expect(size).toContain('with "module/b" it holds 10 bytes, over the limit of 9');
    const count = await refusal(putItems([file("a"), file("b"), file("c")], { maxFiles: 3 }));
    expect(count).toContain('with "module/c" it has more than 3 entries');
    expect(left()).toEqual([]);
  });

  test("leaves alone what was in the folder before", async () => {
    writeFileSync(at("into/mine"), "mine");
    await refusal(putItems([{ name: "module/p", type: "6" }]));
    expect(readFileSync(at("into/mine"), "utf8")).toBe("mine");
  });

  test("may have two files that differ in case where the file system tells them apart", () => {
    const limits = { maxBytes: 10, maxFiles: 10 };
    for (const [folding, allowed] of [
      [false, true],
      [true, false],
    ] as const) {
      const ledger = createLedger(limits, folding);
      ledger.file("Makefile", 1);
      const add = () => ledger.file("makefile", 1);
      if (allowed) add();
      else expect(add).toThrow("differ only in upper and lower case");
    }
  });
});
