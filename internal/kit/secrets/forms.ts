/**
 * The shapes a secret can take in output. A pattern is a row of elements, one per character of the secret; an element
 * lists every spelling of that character. So one pattern covers the raw text, every URL encoder (they differ in what
 * they escape) and every JSON encoder at once, mixtures included.
 */
export interface Spelling {
  readonly bytes: Uint8Array;
  /** Letters match in either case (hex digits); `bytes` is lower case then. */
  readonly fold: boolean;
}
export type Element = readonly Spelling[];

export interface Pattern {
  readonly elements: readonly Element[];
  /** Base64: the text may be wrapped between any two characters. */
  readonly wraps: boolean;
  /** Spellings that belong to the match when they follow it: the last, half-known character and the padding of base64. */
  readonly tail: Element;
}

const encoder = new TextEncoder();

/** Line breaks inside wrapped base64. */
export const WRAP: Element = ["\n", "\r\n", "\\n", "\\r\\n"].map((text) => spell(text));

/** Shorter base64 would mask ordinary words. */
const MIN_BASE64 = 6;
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function spell(text: string, fold = false): Spelling {
  return { bytes: encoder.encode(fold ? text.toLowerCase() : text), fold };
}

/** All patterns of one value (no line break at its ends). */
export function patternsOf(value: string): Pattern[] {
  const lines = value.replaceAll("\r\n", "\n");
  const plain: Pattern = { elements: [...lines].map(spellings), wraps: false, tail: [] };
  const encoded = new Set([value, lines]);
  return [plain, ...[...encoded].flatMap((text) => base64Patterns(encoder.encode(text)))];
}

const known = new Map<string, Element>();

function spellings(char: string): Element {
  let element = known.get(char);
  if (!element) {
    element = distinct([spell(char), ...percent(char), ...escapes(char).map((text) => spell(text)), ...unicode(char)]);
    known.set(char, element);
  }
  return element;
}

function percent(char: string): Spelling[] {
  const hex = [...encoder.encode(char)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  if (char === "\n") return [spell("\r\n"), spell(hex, true), spell("%0d%0a", true)];
  return char === " " ? [spell("+"), spell(hex, true)] : [spell(hex, true)];
}

const SHORT: Readonly<Record<string, readonly string[]>> = {
  "\n": ["\\n", "\\r\\n"],
  "\r": ["\\r"],
  "\t": ["\\t"],
  "\b": ["\\b"],
  "\f": ["\\f"],
  '"': ['\\"'],
  "\\": ["\\\\"],
  "/": ["\\/"],
};

/** Backslash forms, once and (JSON inside a JSON string) twice escaped. */
function escapes(char: string): string[] {
  const once = SHORT[char] ?? [];
  return [...once, ...once.map((text) => text.replace(/["\\]/g, "\\$&"))];
}

function unicode(char: string): Spelling[] {
  const units = Array.from({ length: char.length }, (_, at) => char.charCodeAt(at).toString(16).padStart(4, "0"));
  const text = units.map((unit) => `\\u${unit}`).join("");
  return [spell(text, true), spell(text.replaceAll("\\", "\\\\"), true)];
}

function distinct(list: readonly Spelling[]): Element {
  return list.filter((item, at) => list.findIndex((other) => Buffer.compare(other.bytes, item.bytes) === 0) === at);
}

/**
 * The part of base64 that does not depend on what stands around the secret, for each of the three places it can have
 * in a group of three bytes. Both alphabets are spellings of one character.
 */
function base64Patterns(bytes: Uint8Array): Pattern[] {
  const patterns: Pattern[] = [];
  for (const shift of [0, 1, 2]) {
    const padded = new Uint8Array(shift + bytes.length);
    padded.set(bytes, shift);
    const text = Buffer.from(padded).toString("base64").replaceAll("=", "");
    const first = Math.ceil((shift * 8) / 6);
    const last = Math.floor((padded.length * 8) / 6);
    if (last - first >= MIN_BASE64) {
      patterns.push({ elements: [...text.slice(first, last)].map(base64Char), wraps: true, tail: tailOf(text, last) });
    } else if (shift === 0 && text.length >= MIN_BASE64) {
      // Too short to be found inside other data; alone it still has its own unmistakable end.
      patterns.push({ elements: [...text].map(base64Char), wraps: true, tail: PADDING });
    }
  }
  return patterns;
}

const base64Elements = new Map<string, Element>();

function base64Char(char: string): Element {
  let element = base64Elements.get(char);
  if (!element) {
    const special = char === "+" ? ["-"] : char === "/" ? ["_", "\\/"] : [];
    const escaped = special.length > 0 ? [...percent(char), ...unicode(char)] : [];
    element = [spell(char), ...special.map((text) => spell(text)), ...escaped];
    base64Elements.set(char, element);
  }
  return element;
}

const PADDING: Element = ["=", "==", "%3D", "%3D%3D", "%3d", "%3d%3d"].map((text) => spell(text));
const tails = new Map<string, Element>();

/** The character behind the stable part holds 2 or 4 bits of the secret; it and the padding go with the match. */
function tailOf(text: string, last: number): Element {
  const border = text[last];
  if (border === undefined) return [];
  const keep = (text.length * 6) % 8 === 4 ? 4 : 2; // bits of the character that do not belong to the secret
  const key = `${border}${keep}`;
  let tail = tails.get(key);
  if (!tail) {
    const high = BASE64.indexOf(border) >> keep;
    const chars = [...BASE64].filter((_, at) => at >> keep === high).flatMap(base64Char);
    tail = chars.flatMap((char) => [char, ...PADDING.map((pad) => join(char, pad))]);
    tails.set(key, tail);
  }
  return tail;
}

function join(char: Spelling, pad: Spelling): Spelling {
  const bytes = new Uint8Array(char.bytes.length + pad.bytes.length);
  bytes.set(char.bytes);
  bytes.set(pad.bytes, char.bytes.length);
  return { bytes, fold: char.fold };
}
