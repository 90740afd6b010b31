import type { JSX } from "preact";
import { visibleText } from "../../../protocol/log-text.ts";
import { clockTime } from "../format.ts";
import type { Row } from "./buffer.ts";
import { splitAtHits } from "./find.ts";
import { SHOWN_CHARACTERS } from "./layout.ts";
import { PLAIN, parseSgr, type Span, type Style } from "./sgr.ts";

interface RowProps {
  readonly row: Row;
  readonly times: boolean;
  /** The current hit of a search. */
  readonly hit: boolean;
  /** Lower case of what is marked. */
  readonly needle: string;
  readonly linked: boolean;
  readonly onLink: (line: number, extend: boolean) => void;
}

export function LogRow({ row, times, hit, needle, linked, onLink }: RowProps): JSX.Element {
  const text = visibleText(row.text);
  const cut = text.length > SHOWN_CHARACTERS;
  const { spans } = parseSgr(cut ? text.slice(0, SHOWN_CHARACTERS) : text, row.start);
  const marks = `${hit ? " row-hit" : ""}${linked ? " row-linked" : ""}`;
  const choose = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    onLink(row.number, event.shiftKey);
  };
  return (
    <div class={`row row-${row.kind} severity-${row.severity}${marks}`}>
      {/* Out of the tab order: a screenful of stops between the log and what follows would help nobody. */}
      <a
        class="row-number"
        href={`#L${row.number}`}
        tabIndex={-1}
        aria-label={`Line ${row.number}`}
        aria-current={linked ? "true" : undefined}
        onClick={choose}
      >
        {row.number}
      </a>
      {times ? <span class="row-time">{clockTime(row.time)}</span> : null}
      <span class="row-text">
        {spans.map((span, index) => (
          <Piece key={index} span={span} needle={needle} />
        ))}
        {cut ? (
          <em class="row-cut"> … {(text.length - SHOWN_CHARACTERS).toLocaleString("en")} more characters</em>
        ) : null}
      </span>
    </div>
  );
}

interface HeadingProps {
  readonly row: Row;
  readonly times: boolean;
  readonly folded: boolean;
  readonly onFold: () => void;
}

/** Where an execution or a step of it begins; a step can be folded to this row. */
export function HeadingRow({ row, times, folded, onFold }: HeadingProps): JSX.Element {
  return (
    <div class={`row row-${row.kind}`}>
      <span class="row-number" />
      {times ? <span class="row-time">{clockTime(row.time)}</span> : null}
      {row.kind === "step" ? (
        <button type="button" class="row-fold" aria-expanded={!folded} onClick={onFold}>
          <span aria-hidden="true">{folded ? "▸" : "▾"}</span> step {row.text}
        </button>
      ) : (
        <span class="row-text">{row.text}</span>
      )}
    </div>
  );
}

/** Text nodes only: whatever a program prints stays text. */
function Piece({ span, needle }: { readonly span: Span; readonly needle: string }): JSX.Element {
  const pieces = splitAtHits(span.text, needle);
  const text = pieces.length === 1 ? span.text : pieces.map((one, index) => (index % 2 ? <mark>{one}</mark> : one));
  if (span.style === PLAIN) return <>{text}</>;
  return (
    <span class={classes(span.style)} style={exact(span.style)}>
      {text}
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
