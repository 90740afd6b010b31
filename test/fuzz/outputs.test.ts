import { describe, expect, test } from "bun:test";
import { splitArgv } from "../../internal/kit/argv/split-argv.ts";
import { parseOutputs } from "../../internal/kit/outputs/parse-outputs.ts";
import { RunnerError } from "../../internal/protocol/errors.ts";
import { seeded } from "../lib/seeded.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const PIECES = [
  "a",
  "key",
  "=",
  "<<",
  "END",
  "\n",
  "\r\n",
  "{",
  "}",
  '"',
  ":",
  "[",
  "]",
  " ",
  "\t",
  "é🚀",
  "\\",
  "'",
  "\0",
];
const textOf = (random: (below: number) => number, pieces: readonly string[], most: number) =>
  Array.from({ length: random(most) }, () => pieces[random(pieces.length)] ?? "").join("");

describe("outputs of any content", () => {
  test("are read or refused with the line, never a crash", () => {
    const random = seeded(1);
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = encode(textOf(random, PIECES, 30));
      if (round % 3 === 0 && bytes.length > 0) bytes[random(bytes.length)] = random(256);
      try {
        expect(parseOutputs(bytes)).toBeObject();
      } catch (error) {
        expect(error).toBeInstanceOf(RunnerError);
        expect(String(error)).toMatch(/line \d+ of the outputs|not valid UTF-8/);
      }
    }
  });

  test("come back as they were written, in each of the three forms", () => {
    const random = seeded(2);
    for (let round = 0; round < 3_000; round += 1) {
      const value = textOf(
        random,
        PIECES.filter((piece) => !piece.includes("\r")),
        12,
      );
      const oneLine = value.replaceAll("\n", "");
      const end = `END_${round}`;
      const text = `a=${oneLine}\n${JSON.stringify({ b: value })}\nc<<${end}\n${value}\n${end}\n`;
      expect(parseOutputs(encode(text))).toEqual({ a: oneLine, b: value, c: value });
      expect(parseOutputs(encode(text.replaceAll("\n", "\r\n")))).toEqual({ a: oneLine, b: value, c: value });
    }
  });
});

describe("commands of any content", () => {
  test("are split or refused with a reason, never a crash", () => {
    const random = seeded(3);
    for (let round = 0; round < 20_000; round += 1) {
      try {
        expect(splitArgv(textOf(random, PIECES, 20)).length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(RunnerError);
      }
    }
  });

  test("give back any words that were quoted", () => {
    const random = seeded(4);
    for (let round = 0; round < 3_000; round += 1) {
      const words = Array.from({ length: 1 + random(4) }, () => textOf(random, PIECES.slice(0, -1), 8));
      const quoted = words.map((word) =>
        random(2) === 0 ? `'${word.replaceAll("'", `'\\''`)}'` : `"${word.replace(/["\\$`]/g, "\\$&")}"`,
      );
      expect<string[]>(splitArgv(`run ${quoted.join(" ")}`).slice(1)).toEqual(words);
    }
  });
});
