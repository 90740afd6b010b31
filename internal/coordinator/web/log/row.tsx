import type { JSX } from "preact";
import { clockTime } from "../format.ts";
import { type Row, visibleText } from "./buffer.ts";
import { PLAIN, parseSgr, type Span, type Style } from "./sgr.ts";

/** Longer lines are cut on the screen (a browser takes seconds to lay out a megabyte); the download has them whole. */
const SHOWN_CHARACTERS = 8_000;

interface RowProps {
  readonly row: Row;
  readonly times: boolean;
  readonly hit: boolean;
}

export function LogRow({ row, times, hit }: RowProps): JSX.Element {
  const text = visibleText(row.text);
  const cut = text.length > SHOWN_CHARACTERS;
  const { spans } = parseSgr(cut ? text.slice(0, SHOWN_CHARACTERS) : text, row.start);
  return (
    <div class={`row row-${row.kind} severity-${row.severity}${hit ? " row-hit" : ""}`}>
      <span class="row-number" aria-hidden="true">
        {row.number === 0 ? "" : row.number}
      </span>
      {times ? <span class="row-time">{clockTime(row.time)}</span> : null}
      <span class="row-text">
        {spans.map((span, index) => (
          <Piece key={index} span={span} />
        ))}
        {cut ? (
          <em class="row-cut"> … {(text.length - SHOWN_CHARACTERS).toLocaleString("en")} more characters</em>
        ) : null}
      </span>
    </div>
  );
}

/** Text nodes only: whatever a program prints stays text. */
function Piece({ span }: { readonly span: Span }): JSX.Element {
  if (span.style === PLAIN) return <>{span.text}</>;
  return (
    <span class={classes(span.style)} style={exact(span.style)}>
      {span.text}
    </span>
  );
}

function classes(style: Style): string {
  const names: string[] = [];
  const [fg, bg] = style.inverse ? [style.bg ?? "bg", style.fg ?? "fg"] : [style.fg, style.bg];
  if (fg !== null && !fg.startsWith("#")) names.push(`fg-${fg}`);
  if (bg !== null && !bg.startsWith("#")) names.push(`bg-${bg}`);
  for (const name of ["bold", "dim", "italic", "underline", "strike"] as const)
    if (style[name]) names.push(`t-${name}`);
  return names.join(" ");
}

/** Exact colours are always `#rrggbb`, made from numbers by the parser. */
function exact(style: Style): { readonly color?: string; readonly backgroundColor?: string } {
  const [fg, bg] = style.inverse ? [style.bg, style.fg] : [style.fg, style.bg];
  return {
    ...(fg?.startsWith("#") ? { color: fg } : {}),
    ...(bg?.startsWith("#") ? { backgroundColor: bg } : {}),
  };
}
