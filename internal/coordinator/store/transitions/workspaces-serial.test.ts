import { describe, expect, test } from "bun:test";
import { withSerial } from "./workspaces-serial.ts";

const under = (text: string, serial: number) =>
  new TextDecoder().decode(withSerial(new TextEncoder().encode(text), serial));

describe("a state under another serial", () => {
  test("is the same to the byte beside that number, big numbers and odd strings too", () => {
    const text = `{
  "version": 4,
  "serial": 7,
  "outputs": { "big": { "value": 12345678901234567890.5, "serial": 1 } },
  "text": "\\"serial\\": 3, {[\\\\",
  "list": ["serial", { "serial": 9 }]
}
`;
    expect(under(text, 42)).toBe(text.replace('"serial": 7', '"serial": 42'));
  });

  test("of several at the top the last is taken, as every parser does", () => {
    expect(JSON.parse(under('{"serial":1,"serial" : 2}', 9))).toEqual({ serial: 9 });
  });

  test("a state without one gets it", () => {
    expect(under('{"version":4}', 3)).toBe('{"serial":3,"version":4}');
  });
});
