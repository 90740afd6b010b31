/** Lines of a tool, decoded: one record's text and whether its last line goes on in the next record. */
export interface ToolText {
  readonly text: string;
  readonly partial: boolean;
}

const LF = 10;
const SHARED_BYTES = 64 * 1024;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cut redacted bytes into texts of at most `maxLines` lines and about 64 KiB (a single line may be longer). The last
 * line feed is left out, CRLF becomes LF, a lone CR stays. Joined by line feeds after whole texts, they are the output.
 */
export function toolTexts(bytes: Uint8Array, maxLines: number): ToolText[] {
  const texts: ToolText[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = endOfText(bytes, at, maxLines);
    const whole = bytes[end - 1] === LF;
    texts.push({ text: decode(bytes.subarray(at, whole ? end - 1 : end), whole), partial: !whole });
    at = end;
  }
  return texts;
}

function endOfText(bytes: Uint8Array, from: number, maxLines: number): number {
  const limit = Math.min(from + SHARED_BYTES, bytes.length);
  if (maxLines === Number.POSITIVE_INFINITY) {
    const last = bytes.lastIndexOf(LF, limit - 1);
    if (last >= from) return last + 1;
  }
  let end = from;
  for (let lines = 0; lines < maxLines; lines++) {
    const feed = bytes.indexOf(LF, end);
    if (feed < 0) return lines === 0 ? bytes.length : end;
    if (feed >= limit && lines > 0) return end;
    end = feed + 1;
    if (end >= limit) return end;
  }
  return end;
}

function decode(bytes: Uint8Array, whole: boolean): string {
  const text = decoder.decode(bytes);
  if (!text.includes("\r")) return text;
  const trimmed = whole && text.endsWith("\r") ? text.slice(0, -1) : text;
  return trimmed.replaceAll("\r\n", "\n");
}
