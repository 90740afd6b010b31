import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { COMMANDS, type CommandName } from "../../../internal/config/commands.ts";
import { commandHelp } from "../../../internal/config/help.ts";
import { SPEC_SCHEMAS } from "../../../internal/protocol/job-file-parse.ts";
import { docBlocks, docPages, readPage } from "../../lib/doc-blocks.ts";

const ROOT = join(import.meta.dir, "../../..");
const pages = docPages();

/** Everything a name of ours can stand in: sources, bundles and the installer, not tests and not documents. */
const sources = ["internal", "cmd", "bundle", "scripts", "test/bench"]
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  .filter(
    (name) => /\.(ts|tsx|sh|ya?ml|json|tpl|service|env|html)$/.test(name) && !/node_modules|\.test\.ts$/.test(name),
  )
  .concat("install.sh", "service.yml", "build-config.yaml", "package.json")
  .filter((name) => statSync(join(ROOT, name)).isFile())
  .map((name) => readFileSync(join(ROOT, name), "utf8"))
  .join("\n");
const known = new Set(sources.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g));
const knownFlags = new Set([
  ...(sources.match(/--[a-z][a-z0-9-]+/g) ?? []),
  ...(Object.keys(COMMANDS) as CommandName[]).flatMap((name) => commandHelp(name).match(/--[a-z][a-z0-9-]+/g) ?? []),
]);

/** Of tests, which no user sets. */
const OF_TESTS = ["RUNNER_BIN", "RUNNER_TEST_SEED"];

const prose = (page: string) => readPage(page).replace(/^```[\s\S]*?^```$/gm, "");
const code = (page: string) => [
  ...docBlocks(page)
    .filter(({ language }) => language === "sh" || language === "console")
    .flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n")),
  ...[...prose(page).matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text),
];

/** The heading as GitHub makes an anchor of it. */
const anchorOf = (heading: string) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
const anchors = (page: string) =>
  [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => anchorOf(text.trim()));
const linksOf = (page: string) => [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);

/** The command that a line of ours begins with, `job submit`; null: none. */
function commandIn(line: string): CommandName | null {
  const [, first = "", second = ""] = /(?:^|[\s/`(])runner ([a-z-]+)(?: ([a-z-]+))?/.exec(line) ?? [];
  const both = `${first} ${second}`;
  if (both in COMMANDS) return both as CommandName;
  return first in COMMANDS ? (first as CommandName) : null;
}

for (const page of pages) {
  describe(page, () => {
    test("names only variables that there are", () => {
      const named = readPage(page).match(/\bRUNNER_[A-Z0-9_]*[A-Z0-9]\b/g) ?? [];
      expect(named.filter((name) => !known.has(name) && !OF_TESTS.includes(name))).toEqual([]);
    });

    test("gives to each command of runner only options that it has", () => {
      const wrong = code(page).flatMap((line) => {
        // What stands behind a pipe or a dash-dash is somebody else's.
        const own = (line.replace(/(^|\s+)#.*$/, "").match(/(?:^|[\s/])runner [^|;&]*/)?.[0] ?? "").trim();
        const command = commandIn(own);
        if (command === null) return [];
        const has = commandHelp(command);
        const flags = own.match(/(?<=\s)--[a-z][a-z0-9-]*/g) ?? [];
        return flags.filter((flag) => !new RegExp(`${flag}(?![a-z-])`).test(has)).map((flag) => `${own}: ${flag}`);
      });
      expect(wrong).toEqual([]);
    });

    test("names no option in a sentence that no program of ours has", () => {
      const named = [...prose(page).matchAll(/`(--[a-z][a-z0-9-]+)[^`]*`/g)].map(([, flag = ""]) => flag);
      expect(named.filter((flag) => !knownFlags.has(flag))).toEqual([]);
    });

    test("names only tests that there are", () => {
      const named = readPage(page).match(/(?<=\.\/)test\/[\w/.-]*\w/g) ?? [];
      // Part of a file's name is enough for the test runner.
      const there = (path: string) =>
        existsSync(join(ROOT, path)) ||
        readdirSync(join(ROOT, dirname(path))).some((name) => name.startsWith(basename(path)));
      expect(named.filter((path) => !there(path))).toEqual([]);
    });

    test("links to pages and headings that are there", () => {
      const wrong = linksOf(page).filter((target) => {
        if (/^[a-z]+:/.test(target)) return false;
        const [file = "", anchor] = target.split("#");
        const path = file === "" ? page : normalize(join(dirname(page), file));
        if (!existsSync(join(ROOT, path))) return true;
        return anchor !== undefined && path.endsWith(".md") && !anchors(path).includes(anchor);
      });
      expect(wrong).toEqual([]);
    });
  });
}

test("docs/job-file.md names every type that has a job file", () => {
  const page = readPage("docs/job-file.md");
  expect(Object.keys(SPEC_SCHEMAS).filter((type) => !page.includes(`\`${type}\``))).toEqual([]);
});

test("every page is found by links, beginning at the README", () => {
  const found = new Set<string>();
  const walk = (page: string) => {
    if (found.has(page)) return;
    found.add(page);
    for (const target of linksOf(page)) {
      const path = normalize(join(dirname(page), target.replace(/#.*$/, "")));
      if (pages.includes(path)) walk(path);
      // A link to a folder shows its README.
      else if (pages.includes(join(path, "README.md"))) walk(join(path, "README.md"));
    }
  };
  walk("README.md");
  expect(pages.filter((page) => !found.has(page))).toEqual([]);
});
