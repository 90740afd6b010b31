import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The fenced blocks of the documents. What stands behind the language says what is done with a block: `sh run=SUITE` is
 * run by that suite, `yaml as=job` is read as a job file. Pages show nothing of it.
 */
export interface DocBlock {
  /** From the root of the repository. */
  readonly page: string;
  /** Of the opening fence. */
  readonly line: number;
  readonly language: string;
  /** The words behind the language, `run=docs` as `{ run: "docs" }`. */
  readonly says: Readonly<Record<string, string>>;
  readonly text: string;
}

const ROOT = join(import.meta.dir, "../..");

export const readPage = (page: string) => readFileSync(join(ROOT, page), "utf8");

/** Every document of the repository that a person is sent to. */
export function docPages(): string[] {
  const below = (folder: string) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`)
      .sort();
  return ["README.md", "CONTRIBUTING.md", "examples/README.md", ...below("docs")];
}

const FENCE = /^```([^\n]*)\n([\s\S]*?)^```$/gm;

export function docBlocks(page: string): DocBlock[] {
  const whole = readPage(page);
  return [...whole.matchAll(FENCE)].map(({ index, 1: info = "", 2: text = "" }) => {
    const [language = "", ...words] = info.trim().split(/\s+/);
    const line = whole.slice(0, index).split("\n").length;
    const says = Object.fromEntries(words.map((word) => word.split("=", 2)));
    return { page, line, language, says, text };
  });
}

/** What a page gives to a suite, in its order; throws when there is nothing, for then the suite tests nothing. */
export function commandsOf(page: string, run: string): string[] {
  const found = docBlocks(page).filter((block) => block.says.run === run);
  if (found.length === 0) throw new Error(`${page} has no block for ${run}`);
  return found.map(({ text }) => text);
}

/** The logical lines of a block, without remarks and empty ones; what ends in a backslash goes on. */
export function linesOf(block: string): string[] {
  return block
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s+)#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** What a person puts in place of what the page has: each must stand in the block, or the page has changed. */
export type Words = Readonly<Record<string, string>>;

/** A block as a person pastes it. The longest words first: `chg…` does not take the place of `approve chg…`. */
export function filledIn(block: string, words: Words): string {
  let text = block;
  for (const [from, to] of Object.entries(words).sort(([a], [b]) => b.length - a.length)) {
    if (!text.includes(from)) throw new Error(`there is no "${from}" (any more) in\n${block}`);
    text = text.replaceAll(from, to);
  }
  // Remarks may have dots.
  if (/^[^#\n]*…/m.test(text)) throw new Error(`what stands for the dots in\n${text}`);
  return text;
}
