const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The same state under another serial. Only that number is replaced in the text: parsed and written again, integers
 * past 2^53 would come out as others. `body` is valid JSON with an object at its top.
 */
export function withSerial(body: Uint8Array, serial: number): Uint8Array {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  const place = serialPlace(text);
  if (place === null) return new TextEncoder().encode(text.replace("{", `{"serial":${serial},`));
  return new TextEncoder().encode(text.slice(0, place.from) + serial + text.slice(place.to));
}

/** Where the value of the top-level `serial` stands; of several the last, which is the one that parsers take. */
function serialPlace(text: string): { readonly from: number; readonly to: number } | null {
  let place: { readonly from: number; readonly to: number } | null = null;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      const end = endOfString(text, at);
      if (depth === 1 && text.slice(at, end) === '"serial"') place = numberAfter(text, end) ?? place;
      at = end - 1;
    } else if (OPENS.has(char)) depth++;
    else if (CLOSES.has(char)) depth--;
  }
  return place;
}

const OPENS = new Set(["{", "["].map((char) => char.charCodeAt(0)));
const CLOSES = new Set(["}", "]"].map((char) => char.charCodeAt(0)));

/** Behind the closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === QUOTE) return at + 1;
  }
  return text.length;
}

/** The number that follows as the value of a key; null when the string was no key. */
function numberAfter(text: string, end: number): { readonly from: number; readonly to: number } | null {
  const value = /\s*:\s*(-?\d[\d.eE+-]*)/y;
  value.lastIndex = end;
  const found = value.exec(text);
  const digits = found?.[1];
  return digits === undefined ? null : { from: value.lastIndex - digits.length, to: value.lastIndex };
}
