import { CONTROL, ESCAPE } from "../../../protocol/log-text.ts";

/**
 * Colours of a terminal as data: the page shows what a program printed without ever letting it drive the page. SGR
 * sequences become styles; every other escape sequence and control character is dropped.
 */
export interface Style {
  /** `0`–`15`: a colour of the theme; `#rrggbb`: an exact one; null: the default. */
  readonly fg: string | null;
  readonly bg: string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly strike: boolean;
}

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export const PLAIN: Style = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

/** Spans of one line that begins in style `start`, and the style the next line begins in. */
export function parseSgr(line: string, start: Style = PLAIN): { readonly spans: readonly Span[]; readonly end: Style } {
  const spans: Span[] = [];
  let style = start;
  let from = 0;
  const push = (raw: string) => {
    const text = raw.replace(CONTROL, "");
    if (text === "") return;
    const last = spans.at(-1);
    if (last && last.style === style) spans[spans.length - 1] = { text: last.text + text, style };
    else spans.push({ text, style });
  };
  for (const match of line.matchAll(ESCAPE)) {
    push(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") style = applySgr(style, match[1] ?? "");
  }
  push(line.slice(from));
  return { spans, end: style };
}

type Flag = "bold" | "dim" | "italic" | "underline" | "inverse" | "strike";
const ON: Readonly<Record<number, Flag>> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  9: "strike",
};
const OFF: Readonly<Record<number, readonly Flag[]>> = {
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underline"],
  27: ["inverse"],
  29: ["strike"],
};

function applySgr(style: Style, parameters: string): Style {
  // Private forms such as `?25` or `>4` are not colours.
  if (/[<-?]/.test(parameters)) return style;
  const codes = parameters.split(/[;:]/).map((part) => (part === "" ? 0 : Number(part)));
  let next = style;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    const flag = ON[code];
    const off = OFF[code];
    if (code === 0) next = PLAIN;
    else if (flag) next = { ...next, [flag]: true };
    else if (off) next = { ...next, ...Object.fromEntries(off.map((name) => [name, false])) };
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes, i + 1);
      if (color !== null) next = code === 38 ? { ...next, fg: color } : { ...next, bg: color };
      i += used;
    } else next = { ...next, ...basic(code) };
  }
  return next;
}

function basic(code: number): Partial<Style> {
  if (code === 39) return { fg: null };
  if (code === 49) return { bg: null };
  if (code >= 30 && code <= 37) return { fg: String(code - 30) };
  if (code >= 90 && code <= 97) return { fg: String(code - 82) };
  if (code >= 40 && code <= 47) return { bg: String(code - 40) };
  if (code >= 100 && code <= 107) return { bg: String(code - 92) };
  return {};
}

/** `5;n` or `2;r;g;b` from `at` on; the colour (null when malformed) and how many parameters it took. */
function extended(codes: readonly number[], at: number): readonly [string | null, number] {
  if (codes[at] === 5) return [palette(codes[at + 1] ?? -1), 2];
  // Nobody can tell how long an unknown form is: the rest of the sequence goes with it.
  if (codes[at] !== 2) return [null, codes.length];
  const parts = codes.slice(at + 1, at + 4);
  const valid = parts.length === 3 && parts.every((part) => part >= 0 && part <= 255);
  return [valid ? hex(parts) : null, 4];
}

function palette(n: number): string | null {
  if (!(n >= 0 && n <= 255)) return null;
  if (n < 16) return String(n);
  if (n >= 232) return hex([0, 1, 2].map(() => 8 + (n - 232) * 10));
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const cube = n - 16;
  return hex([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]);
}

function hex(parts: readonly number[]): string {
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
