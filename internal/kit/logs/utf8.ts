/** Largest position ≤ `end` that does not lie inside a character whose bytes have not all come before `end`. */
export function wholeCharacters(bytes: Uint8Array, end: number): number {
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? end - back : end;
  }
  return end;
}

/** Smallest position ≥ `at` outside a character that began before `at`; -1 when that character is not complete yet. */
export function afterCharacter(bytes: Uint8Array, at: number): number {
  let end = at;
  while (wholeCharacters(bytes, end) !== end) {
    if (end >= bytes.length) return -1;
    if (((bytes[end] ?? 0) & 0xc0) !== 0x80) return end;
    end++;
  }
  return end;
}
