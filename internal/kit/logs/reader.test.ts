import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRedactor } from "../secrets/redactor.ts";
import { createLogReader } from "./reader.ts";

const folder = mkdtempSync(join(tmpdir(), "reader-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Records of a file in which each step wrote its text, read in one go. */
function records(steps: readonly (readonly [string, string])[], secret = "") {
  const path = join(folder, "output");
  writeFileSync(path, steps.map(([, text]) => text).join(""));
  const size = Buffer.byteLength(steps.map(([, text]) => text).join(""));
  const redactor = createRedactor();
  if (secret !== "") redactor.register(secret);
  const attributesAt = (offset: number) => {
    let end = 0;
    const found = steps.find(([, text]) => {
      end += Buffer.byteLength(text);
      return offset < end;
    });
    return { step: found?.[0] ?? "" };
  };
  const reader = createLogReader({ fd: openSync(path, "r"), nonce: "none", redactor, attributesAt });
  const batch = reader.read(0, { end: size, closed: true, torn: false, partial: true, calm: true });
  return (batch?.records ?? []).map((record) => [record.attributes.step, record.text, record.partial]);
}

describe("steps that end within one read", () => {
  test("each line belongs to the step that wrote it", () => {
    expect(
      records([
        ["init", "one\ntwo\n"],
        ["plan", "three\n"],
        ["apply", "four\nfive\n"],
      ]),
    ).toEqual([
      ["init", "one\ntwo", false],
      ["plan", "three", false],
      ["apply", "four\nfive", false],
    ]);
  });

  test("a line that a step did not finish is not mixed with the next step's", () => {
    const found = records([
      ["a", "no end"],
      ["b", "begin\n"],
    ]);
    expect(found).toEqual([
      ["a", "no end", true],
      ["b", "begin", false],
    ]);
  });

  test("a secret that two steps wrote together is hidden in one piece", () => {
    const found = records(
      [
        ["a", "x tell-no"],
        ["b", "body-this y\n"],
      ],
      "tell-nobody-this",
    );
    const text = found.map(([, one]) => one).join("");
    expect(text).not.toMatch(/tell|body/);
    expect(text).toEndWith(" y");
  });
});
