import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseManifest } from "./index.ts";
import { packFolder } from "./pack.ts";

/** Every pattern is given to git as well: what it would leave out, we leave out. */
const FILES = [
  "a",
  "a.log",
  "b.txt",
  "file{1}.txt",
  "[x].txt",
  "x.txt",
  "with space",
  "trailing ",
  "#hash",
  "!bang",
  "back\\slash",
  "star*",
  ".hidden",
  ".config/deep/x",
  "build/out",
  "build/deep/out",
  "src/build/out",
  "src/a.log",
  "src/deep/a.log",
  "src/deep/b.txt",
  "docs/a.md",
  "docs/deep/b.md",
  "docs/deep/er/c.md",
  "modules/net/main.tf",
  "modules/net/.hidden",
  "modules/db/main.tf",
  "ünï/côde.txt",
  "abc/def/ghi/j",
];
const CASES = [
  "*.log",
  "/a.log",
  "a",
  "*",
  "*\n!b.txt",
  "*\n!modules\n!modules/net\n!modules/net/*",
  "/*\n!/src\n!/src/**",
  "build",
  "build/",
  "/build",
  "/build/",
  "src/build",
  "build/out",
  "**/build",
  "**/build/**",
  "docs/**",
  "docs/*",
  "docs/**/c.md",
  "docs/**/*.md\n!docs/deep/b.md",
  "docs/\n!docs/a.md",
  "**",
  "**/",
  "*/",
  "?",
  "?.txt",
  "[ab].txt",
  "[!b].txt",
  "[a-z].txt",
  "[[]x].txt",
  "\\[x\\].txt",
  "file{1}.txt",
  "{a,b}.txt",
  "with space",
  "with\\ space",
  "trailing\\ ",
  "trailing ",
  "a.log   ",
  "\\#hash",
  "#hash",
  "\\!bang",
  "!bang",
  "*\n!bang",
  "star\\*",
  "back\\\\slash",
  ".*",
  ".hidden",
  ".config",
  "*.tf",
  "modules/*/main.tf",
  "modules/**",
  "modules/net\n!modules/net/main.tf",
  "abc/**/j",
  "abc/**/ghi/j",
  "abc/**/def",
  "ünï/",
  "*.txt\r\n!b.txt\r\n",
  "\n\n# nothing\n   \n",
  "/",
  "//",
  "./a",
  "src//a.log",
  "a/",
  "docs/deep/",
  "deep",
  "deep/*",
  "**deep",
  "do**cs",
  "src/*.log",
  "src/**/*.log",
  "!*",
  "*.log\n!*.log",
];

describe("the patterns of a .runnerignore", () => {
  const base = mkdtempSync(join(tmpdir(), "ignore-"));
  const env = { PATH: process.env.PATH ?? "", HOME: base, GIT_CONFIG_NOSYSTEM: "1" };
  beforeAll(() => {
    for (const path of FILES) {
      mkdirSync(dirname(join(base, "src", path)), { recursive: true });
      writeFileSync(join(base, "src", path), path);
    }
    Bun.spawnSync(["git", "init", "-q", join(base, "src")], { env });
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  test.each(CASES.map((text) => [text]))("%j leave out what git would", async (text) => {
    const patterns = join(base, "patterns");
    writeFileSync(patterns, text);
    writeFileSync(join(base, "src/.runnerignore"), text);
    const git = Bun.spawnSync(["git", "ls-files", "-z", "--others", `--exclude-from=${patterns}`], {
      cwd: join(base, "src"),
      env,
    });
    const { manifest } = await packFolder(join(base, "src"));
    const titles = parseManifest(manifest).layers.map((layer) => Object.values(layer.annotations ?? {})[0]);
    const theirs = git.stdout.toString().split("\0").filter(Boolean);
    const plain = (names: readonly (string | undefined)[]) => names.filter((name) => name !== ".runnerignore").sort();
    expect(plain(titles)).toEqual(plain(theirs));
  });
});
