import { describe, expect, test } from "bun:test";
import { RunnerError } from "../../protocol/errors.ts";
import { splitArgv } from "./split-argv.ts";

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['./greet.sh --loud "two words"', ["./greet.sh", "--loud", "two words"]],
  ["  a\tb \n c  ", ["a", "b", "c"]],
  [`say 'it is "raw" \\n $HOME'`, ["say", 'it is "raw" \\n $HOME']],
  ['say "a \\"quoted\\" \\\\ \\$x \\` \\n"', ["say", 'a "quoted" \\ $x ` \\n']],
  ["say a\\ b \\'c", ["say", "a b", "'c"]],
  ["say ''  \"\"", ["say", "", ""]],
  [`say a'b'"c"d`, ["say", "abcd"]],
  ["say one \\\n  two", ["say", "one", "two"]],
  ['say "one \\\ntwo"', ["say", "one two"]],
  ["say $HOME *.txt ~ # ; | && `x`", ["say", "$HOME", "*.txt", "~", "#", ";", "|", "&&", "`x`"]],
  ["say grüße 🚀", ["say", "grüße", "🚀"]],
];

describe("a command", () => {
  for (const [text, words] of CASES) {
    test(`is split as a shell would quote it: ${JSON.stringify(text)}`, () => {
      expect<readonly string[]>(splitArgv(text)).toEqual(words);
    });
  }

  const bad = {
    "'open": "single quote",
    'say "open': "double quote",
    "say \\": "backslash",
    " \n ": "empty",
    "''": "empty",
  };
  for (const [text, part] of Object.entries(bad)) {
    test(`that cannot be split names the reason: ${JSON.stringify(text)}`, () => {
      expect(() => splitArgv(text)).toThrow(RunnerError);
      expect(() => splitArgv(text)).toThrow(part);
    });
  }

  test("splits into the words a real shell sees when nothing is expanded", () => {
    const words = ["plain", "two words", "it's", 'say "hi"', "back\\slash", "", "tab\there", "new\nline", "$x `y` *"];
    const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const shell = Bun.spawnSync(["sh", "-c", `for w in ${quoted}; do printf '%s\\0' "$w"; done`]);
    expect(shell.stdout.toString().split("\0").slice(0, -1)).toEqual(words);
    expect<string[]>(splitArgv(`echo ${quoted}`).slice(1)).toEqual(words);
  });
});
