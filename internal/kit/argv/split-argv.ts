import { RunnerError } from "../../protocol/errors.ts";

/**
 * Split a command line into program and arguments by the quoting rules of a shell, with nothing expanded:
 * blanks and newlines separate, `'…'` is literal, `"…"` keeps everything but `\"`, `\\`, `\$`, `` \` `` and an escaped
 * newline, and a backslash outside quotes makes the next character literal. `$`, `*`, `~`, `;`, `|` and `#` mean nothing.
 * Throws RunnerError (job) for an unbalanced quote, a trailing backslash, a NUL byte and an empty command.
 */
export function splitArgv(text: string): [string, ...string[]] {
  if (text.includes("\0")) throw malformed("it contains a NUL byte");
  const words: string[] = [];
  // null: between words. An empty string is a word too ("").
  let word: string | null = null;
  for (let at = 0; at < text.length; ) {
    const char = text.charAt(at);
    if (BLANK.test(char)) {
      if (word !== null) words.push(word);
      word = null;
      at += 1;
      continue;
    }
    const piece = readPiece(text, at);
    at = piece.next;
    // An escaped newline joins lines: it starts no word of its own.
    if (piece.value !== null) word = (word ?? "") + piece.value;
  }
  if (word !== null) words.push(word);
  const [program, ...args] = words;
  if (program === undefined || program === "") throw malformed("it is empty");
  return [program, ...args];
}

const BLANK = /[ \t\r\n]/;

interface Piece {
  readonly value: string | null;
  readonly next: number;
}

function readPiece(text: string, at: number): Piece {
  const char = text.charAt(at);
  if (char === "'") {
    const end = text.indexOf("'", at + 1);
    if (end < 0) throw malformed(`the single quote at character ${at + 1} is not closed`);
    return { value: text.slice(at + 1, end), next: end + 1 };
  }
  if (char === '"') return readDoubleQuoted(text, at);
  if (char !== "\\") return { value: char, next: at + 1 };
  if (at + 1 >= text.length) throw malformed("it ends with a backslash");
  const next = text.charAt(at + 1);
  return { value: next === "\n" ? null : next, next: at + 2 };
}

function readDoubleQuoted(text: string, start: number): Piece {
  let value = "";
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') return { value, next: at + 1 };
    const next = text.charAt(at + 1);
    if (char === "\\" && next === "\n") at += 1;
    else if (char === "\\" && '"\\$`'.includes(next) && next !== "") {
      value += next;
      at += 1;
    } else value += char;
  }
  throw malformed(`the double quote at character ${start + 1} is not closed`);
}

const malformed = (what: string) =>
  new RunnerError("job", `the command cannot be split into words: ${what}`, {
    remedy: "Quote as in a shell; for pipes, variables and globs write the step with `run` instead of `command`.",
  });
