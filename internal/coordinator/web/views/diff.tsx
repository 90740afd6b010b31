import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { plainText } from "../../../protocol/log-text.ts";
import { count } from "../format.ts";

/** A diff is laid out as a whole; beyond this many lines only on request. */
const SHOWN = 2_000;

/** A readable diff: what is added, changed and removed, by sign and colour. */
export function Diff({ text }: { readonly text: string }): JSX.Element {
  const lines = useMemo(() => text.split("\n").map(plainText), [text]);
  return <DiffLines lines={lines} />;
}

export function DiffLines({ lines }: { readonly lines: readonly string[] }): JSX.Element {
  const [all, setAll] = useState(false);
  const hidden = all ? 0 : Math.max(0, lines.length - SHOWN);
  return (
    <div class="diff-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable with the keyboard */}
      <pre class="diff" tabIndex={0}>
        {lines.slice(0, lines.length - hidden).map((line, index) => (
          <div key={index} class={kindOf(line)}>
            {line === "" ? " " : line}
          </div>
        ))}
      </pre>
      {hidden > 0 ? (
        <button type="button" class="button small" onClick={() => setAll(true)}>
          Show {count(hidden, "more line")}
        </button>
      ) : null}
    </div>
  );
}

function kindOf(line: string): string {
  const sign = line.trimStart();
  if (/^(-\/\+|\+\/-|~)/.test(sign)) return "diff-change";
  if (sign.startsWith("+")) return "diff-add";
  if (sign.startsWith("-")) return "diff-remove";
  return sign.startsWith("#") ? "diff-note" : "diff-plain";
}
