import { describe, expect, test } from "bun:test";
import { plainText } from "../../../protocol/log-text.ts";
import { PLAIN, parseSgr } from "./sgr.ts";

const E = "\x1b";
const shown = (line: string) => parseSgr(line).spans.map((span) => [span.text, span.style] as const);

describe("terminal colours in the log", () => {
  test("plain text is one span without a style", () => {
    expect(shown("hello <b>world</b> &amp;")).toEqual([["hello <b>world</b> &amp;", PLAIN]]);
  });

  test("basic and bright colours keep their number of the theme", () => {
    expect(shown(`${E}[31mred${E}[92mgreen${E}[44mon blue${E}[0mplain`)).toEqual([
      ["red", { ...PLAIN, fg: "1" }],
      ["green", { ...PLAIN, fg: "10" }],
      ["on blue", { ...PLAIN, fg: "10", bg: "4" }],
      ["plain", PLAIN],
    ]);
  });

  test("256 and exact colours become #rrggbb, in both spellings", () => {
    expect(parseSgr(`${E}[38;5;208mx`).end.fg).toBe("#ff8700");
    expect(parseSgr(`${E}[38;5;9mx`).end.fg).toBe("9");
    expect(parseSgr(`${E}[48;5;244mx`).end.bg).toBe("#808080");
    expect(parseSgr(`${E}[38;2;1;2;255mx`).end.fg).toBe("#0102ff");
    expect(parseSgr(`${E}[38:2:1:2:255mx`).end.fg).toBe("#0102ff");
  });

  test("flags are switched on and off one by one, and an empty sequence resets", () => {
    expect(parseSgr(`${E}[1;2;3;4;7;9m`).end).toEqual({
      ...PLAIN,
      bold: true,
      dim: true,
      italic: true,
      underline: true,
      inverse: true,
      strike: true,
    });
    expect(parseSgr(`${E}[1;4m${E}[22m`).end).toEqual({ ...PLAIN, underline: true });
    expect(parseSgr(`${E}[1;31m${E}[m`).end).toBe(PLAIN);
  });

  test("a colour goes on in the next line until it is reset", () => {
    const first = parseSgr(`${E}[31mone`);
    expect(parseSgr("two", first.end).spans).toEqual([{ text: "two", style: { ...PLAIN, fg: "1" } }]);
  });

  test("malformed or out-of-range colours change nothing and swallow no text", () => {
    for (const sequence of ["38;5;999", "38;2;300;0;0", "38", "48;5", "999", "38;9;1", "?25", ">4;2"]) {
      const { spans } = parseSgr(`${E}[${sequence}mtext`);
      expect(spans).toEqual([{ text: "text", style: PLAIN }]);
    }
  });

  test("a colour is never anything but a theme number or six hex digits", () => {
    let seed = 7;
    const next = () => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed;
    };
    const alphabet = `${E}[]m;:0123456789?38A\x07\\xé`;
    for (let round = 0; round < 3_000; round++) {
      const line = Array.from({ length: 40 }, () => alphabet[next() % alphabet.length]).join("");
      const { spans } = parseSgr(line);
      for (const { text, style } of spans) {
        for (const color of [style.fg, style.bg])
          if (color !== null) expect(color).toMatch(/^(\d|1[0-5]|#[0-9a-f]{6})$/);
        expect(text).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/);
      }
      expect(spans.map((span) => span.text).join("")).toBe(plainText(line));
    }
  });
});

describe("what a terminal would obey is dropped", () => {
  test("cursor moves, titles, links and device strings leave only the text", () => {
    expect(plainText(`a${E}[2Kb${E}[1;1Hc${E}[?25ld`)).toBe("abcd");
    expect(plainText(`${E}]0;title\x07text`)).toBe("text");
    expect(plainText(`${E}]8;;https://x.example/${E}\\link${E}]8;;${E}\\`)).toBe("link");
    expect(plainText(`${E}P1$qm${E}\\x${E}_app${E}\\y${E}(Bz`)).toBe("xyz");
    expect(plainText("\x9b31mred\x9d0;t\x9cx")).toBe("redx");
  });

  test("control characters and marks that reorder text are removed, tabs stay", () => {
    expect(plainText("a\x00b\x08c\x07\td\x7f")).toBe("abc\td");
    expect(plainText("safe\u202egnp.exe\u2066x")).toBe("safegnp.exex");
  });

  test("an escape that the line cuts off shows nothing of itself", () => {
    expect(plainText(`text${E}`)).toBe("text");
    expect(plainText(`text${E}[31`)).toBe("text");
    expect(plainText(`text${E}]0;never ended`)).toBe("text");
  });
});
