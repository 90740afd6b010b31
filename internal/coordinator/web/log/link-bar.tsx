import type { JSX } from "preact";
import { plainText, visibleText } from "../../../protocol/log-text.ts";
import { CopyButton } from "../parts/copy.tsx";
import type { LogBuffer } from "./buffer.ts";
import { rowOfLine } from "./sight.ts";
import { type LineRange, lineHash } from "./use-line-link.ts";

interface LinkBarProps {
  readonly buffer: LogBuffer;
  readonly range: LineRange;
  readonly onClose: () => void;
}

/** What can be done with the lines that the address names. */
export function LinkBar({ buffer, range, onClose }: LinkBarProps): JSX.Element {
  const { from, to } = range;
  const words = from === to ? `Line ${from}` : `Lines ${from} to ${to}`;
  return (
    <div class="link-bar" role="toolbar" aria-label={words}>
      <span>{words}</span>
      <CopyButton text={textOf(buffer, range)} what={from === to ? "line" : "lines"} label="Copy text" />
      <CopyButton
        text={location.origin + location.pathname + location.search + lineHash(range)}
        what="link"
        label="Copy link"
      />
      <button type="button" class="button small" aria-label="Forget these lines" onClick={onClose}>
        ✕
      </button>
    </div>
  );
}

/** What the lines show, without colours. */
function textOf({ rows }: LogBuffer, { from, to }: LineRange): string {
  const first = rowOfLine(rows, from);
  const start = first === undefined ? 0 : first.key - (rows[0]?.key ?? 0);
  const lines: string[] = [];
  for (let index = start; index < rows.length; index++) {
    const row = rows[index];
    if (row === undefined || row.number > to) break;
    if (row.number >= from) lines.push(plainText(visibleText(row.text)));
  }
  return lines.join("\n");
}
