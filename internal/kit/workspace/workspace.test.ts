import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import {
  digestOf,
  EXTRAS,
  freeBytes,
  type GetBlob,
  MODES,
  makePrivateDir,
  type PackedFolder,
  packFolder,
  parseManifest,
  removeTree,
  unpack,
} from "./index.ts";

let base: string;
const at = (...parts: string[]) => join(base, ...parts);
const put = (path: string, text = path, mode = 0o644) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
  chmodSync(at(path), mode);
};

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "workspace-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("it was allowed");
}

describe("deleting", () => {
  beforeEach(() => {
    put("state/run1/a/b");
    put("outside/keep");
  });

  test("removes a folder of the state directory with read-only folders in it", async () => {
    chmodSync(at("state/run1/a"), 0o500);
    await removeTree(at("state/run1"), at("state"));
    expect(existsSync(at("state/run1"))).toBeFalse();
    await removeTree(at("state/run1"), at("state"));
  });

  test("never leaves the state directory", async () => {
    symlinkSync(at("outside"), at("state/link"));
    for (const path of ["outside", "outside/keep", "state", "state/../outside", ".", "state/link/keep", "state/."]) {
      expect((await refusal(removeTree(at(path), at("state")))).message).toContain("not inside the state directory");
    }
    put("statement/keep");
    await refusal(removeTree(at("statement"), at("state")));
    expect(readdirSync(at("outside"))).toEqual(["keep"]);
    expect(existsSync(at("statement/keep"))).toBeTrue();
  });

  test("removes a link and not what it leads to", async () => {
    symlinkSync(at("outside"), at("state/run1/link"));
    symlinkSync(at("outside"), at("state/link"));
    await removeTree(at("state/link"), at("state"));
    await removeTree(at("state/run1"), at("state"));
    expect(readdirSync(at("state"))).toBeEmpty();
    expect(readdirSync(at("outside"))).toEqual(["keep"]);
  });
});

describe("a private folder", () => {
  test("is for this user only, also when it was there before", async () => {
    mkdirSync(at("open"), { mode: 0o755 });
    for (const name of ["open", "new/deep"]) {
      await makePrivateDir(at(name));
      expect(statSync(at(name)).mode & 0o777).toBe(0o700);
    }
    expect(statSync(at("new")).mode & 0o777).toBe(0o700);
  });

  test("is refused when a link or a file has its name", async () => {
    put("file");
    mkdirSync(at("real"));
    symlinkSync(at("real"), at("link"));
    expect((await refusal(makePrivateDir(at("file")))).kind).toBe("environment");
    expect((await refusal(makePrivateDir(at("link")))).message).toContain("link");
  });

  test("knows how much can still be written", () => {
    expect(freeBytes(base)).toBeGreaterThan(0);
  });
});

const blobsOf =
  (packed: PackedFolder): GetBlob =>
  async (digest) => {
    const blob = packed.blobs.find((candidate) => candidate.digest === digest);
    if (!blob) throw new Error(`no blob ${digest}`);
    return blob.open();
  };
const titles = (packed: PackedFolder) =>
  parseManifest(packed.manifest).layers.map((layer) => Object.values(layer.annotations ?? {})[0]);

describe("packing a folder", () => {
  test("and unpacking it gives the same files, modes, links, empty files and empty folders", async () => {
    put("src/main.tf", "resource {}\n");
    put("src/scripts/run me.sh", "#!/bin/sh\n", 0o755);
    put("src/key", "k", 0o600);
    put("src/deep/empty");
    writeFileSync(at("src/deep/empty"), "");
    chmodSync(at("src/deep/empty"), 0o640);
    mkdirSync(at("src/hollow/inner"), { recursive: true });
    symlinkSync("../main.tf", at("src/deep/link"));
    symlinkSync("deep", at("src/folder-link"));
    symlinkSync(at("src/key"), at("src/absolute"));
    symlinkSync("not-there-yet", at("src/dangling"));
    const packed = await packFolder(at("src"));
    await unpack(packed.manifest, blobsOf(packed), at("dst"));

    expect(readFileSync(at("dst/main.tf"), "utf8")).toBe("resource {}\n");
    const mode = (path: string) => (statSync(at("dst", path)).mode & 0o777).toString(8);
    expect([mode("main.tf"), mode("scripts/run me.sh"), mode("key"), mode("deep/empty")]).toEqual([
      "644",
      "755",
      "600",
      "640",
    ]);
    expect(statSync(at("dst/deep/empty")).size).toBe(0);
    expect(lstatSync(at("dst/hollow/inner")).isDirectory()).toBeTrue();
    const links = ["deep/link", "folder-link", "absolute", "dangling"].map((path) => readlinkSync(at("dst", path)));
    expect(links).toEqual(["../main.tf", "deep", "key", "not-there-yet"]);
    expect((await packFolder(at("dst"))).digest).toBe(packed.digest);
  });

  test("gives the layout that a Go runner pulls: one titled layer per file, config {}, no time", async () => {
    put("src/b.tf", "same");
    put("src/a/c.tf", "same");
    const packed = await packFolder(at("src"));
    expect(digestOf(packed.manifest)).toBe(packed.digest);
    const digest = digestOf(new TextEncoder().encode("same"));
    const layer = (title: string) => ({
      mediaType: "file/terraform",
      digest,
      size: 4,
      annotations: { "org.opencontainers.image.title": title },
    });
    expect(JSON.parse(new TextDecoder().decode(packed.manifest))).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: {
        mediaType: "artifact/nuon",
        digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        size: 2,
      },
      layers: [layer("a/c.tf"), layer("b.tf")],
      annotations: { [MODES]: "{}", [EXTRAS]: `{"files":[],"links":{},"folders":[]}` },
    });
    // Equal contents travel once.
    expect(packed.blobs.map((blob) => blob.size)).toEqual([2, 4]);
  });

  test("leaves out history and caches, keeps what .gitignore names, obeys .runnerignore", async () => {
    for (const path of [
      ".git/HEAD",
      "sub/.terraform/providers/x",
      ".runner/state",
      "secret.auto.tfvars",
      "logs/a.log",
      "keep/a.log",
      "keep/b.log",
      "build/out/x",
      "src/build/y",
      "docs/a.md",
      "docs/deep/b.md",
      "odd{1}.txt",
      "#hash",
    ]) {
      put(`src/${path}`);
    }
    put("src/.gitignore", "*.tfvars\n");
    put("src/.runnerignore", "# a comment\n*.log\n!keep/b.log\n/build/\ndocs/**\nodd{1}.txt\n\\#hash\r\nlogs/\n");
    expect(titles(await packFolder(at("src")))).toEqual([
      ".gitignore",
      ".runnerignore",
      "keep/b.log",
      "secret.auto.tfvars",
      "src/build/y",
    ]);
  });

  test("takes only what include names, and folders named there whole", async () => {
    for (const path of ["modules/net/main.tf", "modules/db/main.tf", "shared/x.tf", "README.md"]) put(`src/${path}`);
    const packed = await packFolder(at("src"), { include: ["modules/net", "./shared/*.tf"] });
    expect(titles(packed)).toEqual(["modules/net/main.tf", "shared/x.tf"]);
  });

  test("refuses a pattern of include that leads out, or that nothing matches, by name", async () => {
    for (const path of ["modules/net/main.tf", "logs/a.log", "hollow.md"]) put(`src/${path}`);
    put("src/.runnerignore", "*.log\n");
    for (const pattern of ["../outside/**", "/etc/**", "a/../../b", "", "./"]) {
      const error = await refusal(packFolder(at("src"), { include: ["modules/**", pattern] }));
      expect([error.kind, error.message]).toEqual(["usage", expect.stringContaining("leads out of the source folder")]);
    }
    for (const pattern of ["nothing/**", "logs/*.log", "module"]) {
      const { message } = await refusal(packFolder(at("src"), { include: ["modules/**", pattern] }));
      expect(message).toContain(`the pattern ${JSON.stringify(pattern)} matches nothing`);
    }
    // One that only repeats what another has is fine.
    const packed = await packFolder(at("src"), { include: ["modules", "modules/**", "**/*.tf", "./hollow.md"] });
    expect(titles(packed)).toEqual(["hollow.md", "modules/net/main.tf"]);
  });

  test("refuses links that lead out and sockets, and names them", async () => {
    put("outside");
    for (const [name, target] of [
      ["direct", "../outside"],
      ["absolute", at("outside")],
      ["passwd", "/etc/passwd"],
    ] as const) {
      mkdirSync(at(name));
      symlinkSync(target, at(name, "link"));
      const error = await refusal(packFolder(at(name)));
      expect(error.message).toContain(`${name}/link is a link that leads out`);
      expect(error.kind).toBe("usage");
    }
    mkdirSync(at("sock"));
    const server = Bun.listen({ unix: at("sock/s"), socket: { data() {} } });
    expect((await refusal(packFolder(at("sock")))).message).toContain("sock/s is a socket");
    server.stop();
  });

  test("says which cap a folder passes, and that a folder is missing", async () => {
    put("src/a", "12345");
    put("src/b", "12345");
    expect((await refusal(packFolder(at("src"), { maxBytes: 9 }))).message).toContain("larger than");
    expect((await refusal(packFolder(at("src"), { maxFiles: 1 }))).message).toContain("more than 1 files");
    expect((await refusal(packFolder(at("nowhere")))).message).toContain("does not exist");
    expect((await refusal(packFolder(at("src/a")))).message).toContain("is not a folder");
  });
});

describe("unpacking", () => {
  const bytesOf = (text: string) => new TextEncoder().encode(text);
  const stream = (text: string) => new Blob([text]).stream();
  const manifest = (files: [string, string][], annotations?: Record<string, string>) =>
    bytesOf(
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: "artifact/nuon", digest: digestOf(bytesOf("{}")), size: 2 },
        layers: files.map(([title, content]) => ({
          mediaType: "file/terraform",
          digest: digestOf(bytesOf(content)),
          size: content.length,
          annotations: { "org.opencontainers.image.title": title },
        })),
        annotations: { "org.opencontainers.image.created": "2026-01-01T00:00:00Z", ...annotations },
      }),
    );
  const content: GetBlob = async () => stream("x");
  const links = (value: Record<string, string>) => ({ [EXTRAS]: JSON.stringify({ links: value }) });

  test("an artifact of another builder gives plain files", async () => {
    await unpack(manifest([["deep/main.tf", "x"]]), content, at("dst"));
    expect(statSync(at("dst/deep/main.tf")).mode & 0o777).toBe(0o644);
  });

  test("may be repeated over what an interrupted run left, and never writes through a link", async () => {
    put("outside", "safe");
    mkdirSync(at("dst"));
    symlinkSync(at("outside"), at("dst/a"));
    const packed = manifest([["a", "x"]], links({ b: "a" }));
    await unpack(packed, content, at("dst"));
    await unpack(packed, content, at("dst"));
    expect(readFileSync(at("outside"), "utf8")).toBe("safe");
    expect(readFileSync(at("dst/b"), "utf8")).toBe("x");
  });

  test("refuses a folder on the way that is a link", async () => {
    mkdirSync(at("outside"));
    mkdirSync(at("dst"));
    symlinkSync(at("outside"), at("dst/sub"));
    await refusal(unpack(manifest([["sub/a", "x"]]), content, at("dst")));
    expect(readdirSync(at("outside"))).toBeEmpty();
  });

  test.each(["../a", "/etc/a", "a/../../b", "a//b", "./a", "", "a/..", "a\0b"])(
    "refuses the file name %j and writes nothing",
    async (title) => {
      const error = await refusal(
        unpack(
          manifest([
            ["ok", "x"],
            [title, "x"],
          ]),
          content,
          at("dst"),
        ),
      );
      expect(error.kind).toBe("protocol");
      expect(existsSync(at("dst"))).toBeFalse();
    },
  );

  test("refuses a title that comes twice, or that is a file and a folder", async () => {
    expect(
      (
        await refusal(
          unpack(
            manifest([
              ["a", "x"],
              ["a", "x"],
            ]),
            content,
            at("dst"),
          ),
        )
      ).message,
    ).toContain("twice");
    expect(
      (
        await refusal(
          unpack(
            manifest([
              ["a", "x"],
              ["a/b", "x"],
            ]),
            content,
            at("dst"),
          ),
        )
      ).message,
    ).toContain("a file and a folder");
  });

  test.each([
    { l: "/etc" },
    { l: ".." },
    { "d/l": "../.." },
    { "d/up": "..", l: "d/up/../../x" },
    { l: "a/../../x" },
    { "../l": "a" },
    { a: "b", "a/c": "d" },
    { l: "" },
  ])("refuses links that lead out: %j", async (value) => {
    const error = await refusal(unpack(manifest([["f", "x"]], links(value)), content, at("dst")));
    expect(error.kind).toBe("protocol");
    expect(existsSync(at("dst"))).toBeFalse();
  });

  test("refuses content that is not what the digest says, shorter or longer", async () => {
    for (const wrong of ["y", "", "xx"]) {
      const error = await refusal(unpack(manifest([["a", "x"]]), async () => stream(wrong), at("dst")));
      expect(error.message).toContain("does not match its digest");
    }
  });

  test("refuses what is not a manifest with one sentence", async () => {
    for (const text of ["", "<html>", "{}", `{"schemaVersion":2,"layers":[]}`, JSON.stringify({ schemaVersion: 1 })]) {
      expect((await refusal(unpack(bytesOf(text), content, at("dst")))).kind).toBe("protocol");
    }
    const image = bytesOf(new TextDecoder().decode(manifest([["a", "x"]])).replace("image.title", "image.other"));
    expect((await refusal(unpack(image, content, at("dst")))).message).toContain("no file name");
    expect((await refusal(unpack(manifest([["a", "xxxx"]]), content, at("dst"), { maxBytes: 3 }))).message).toContain(
      "limit",
    );
  });
});
