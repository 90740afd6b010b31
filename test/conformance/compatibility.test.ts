import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DEVIATIONS } from "./deviations.ts";
import { OPERATION_NAMES, OPERATIONS } from "./operations.ts";
import { CHECKLIST } from "./requests/checklist.ts";

/** docs/compatibility.md is what a person trusts: each of its tables is compared with what the tests are made of. */
const docs = join(import.meta.dir, "../../docs");
const text = readFileSync(join(docs, "compatibility.md"), "utf8");

/** Rows of the table under this head, cells trimmed. */
function table(head: string): string[][] {
  const lines = text.split("\n");
  const rows = lines.slice(lines.indexOf(head) + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end).map((line) =>
    line
      .replace(/^\||\|$/g, "")
      .split(" | ")
      .map((cell) => cell.trim()),
  );
}

describe("docs/compatibility.md", () => {
  test("has a row with route, answer and test for each of the 45 operations, once", () => {
    const rows = table("| operation | route | answer | tested by |");
    expect(rows.map(([name]) => name).sort()).toEqual(OPERATION_NAMES.map((name) => `\`${name}\``).sort());
    for (const name of OPERATION_NAMES) {
      const [, route, answer, proof] = rows.find(([cell]) => cell === `\`${name}\``) ?? [];
      const { method, path } = OPERATIONS[name];
      expect({ name, route }).toEqual({ name, route: `${method} \`${path}\`` });
      expect(answer).toMatch(/^20[014]/);
      expect(proof).toMatch(/^\[.+\]\(.+\.test\.ts\)$/);
    }
  });

  test("names tests that exist, in the file it names", () => {
    const links = [...text.matchAll(/\[([^\]]+)\]\((\.\.\/test\/[^)]+\.test\.ts)\)/g)];
    expect(links.length).toBeGreaterThan(50);
    const wrong = links.filter(([, title = "", file = ""]) => {
      const path = join(docs, file);
      return !existsSync(path) || !readFileSync(path, "utf8").includes(title);
    });
    expect(wrong.map(([link]) => link)).toEqual([]);
  });

  test("lists exactly the deviations that the replay of the recordings allows, with the reason", () => {
    const rows = table("| here | there | why |");
    expect(rows).toEqual(DEVIATIONS.map(({ here, there, why }) => [here, there, why]));
    expect(DEVIATIONS.filter(({ why }) => why === "")).toEqual([]);
  });
});

test("all nineteen lines of the checklist for a control plane are there, and each test they name exists", () => {
  expect(CHECKLIST).toHaveLength(19);
  const root = join(docs, "..");
  const isThere = (file: string, title: string) =>
    existsSync(join(root, file)) && readFileSync(join(root, file), "utf8").includes(title);
  const missing = CHECKLIST.flatMap(({ says, shown }) =>
    shown.filter(([file, title]) => !isThere(file, title)).map((proof) => `${says}: ${proof.join(" ")}`),
  );
  expect(missing).toEqual([]);
  expect(CHECKLIST.filter(({ shown }) => shown.length === 0)).toEqual([]);
});
