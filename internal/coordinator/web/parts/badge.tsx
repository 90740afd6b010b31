import type { JSX } from "preact";
import type { Tone } from "../status.ts";

/** A status: shape, colour and word, so that none of them has to be enough alone. */
export function Badge({ tone, label }: { readonly tone: Tone; readonly label: string }): JSX.Element {
  return (
    <span class={`badge tone-${tone}`}>
      <Glyph tone={tone} />
      {label}
    </span>
  );
}

export function Glyph({ tone }: { readonly tone: Tone }): JSX.Element {
  return (
    <svg class={`glyph tone-${tone}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {SHAPES[tone]}
    </svg>
  );
}

const stroke = { fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round" } as const;

const SHAPES: Record<Tone, JSX.Element> = {
  idle: <circle cx="6" cy="6" r="4" {...stroke} />,
  info: <circle cx="6" cy="6" r="4" {...stroke} stroke-dasharray="2.2 2.2" />,
  live: (
    <g>
      <circle cx="6" cy="6" r="4.2" {...stroke} opacity="0.3" />
      <path class="spin" d="M6 1.8 A4.2 4.2 0 0 1 10.2 6" {...stroke} />
    </g>
  ),
  ok: <path d="M2.4 6.4 L5 9 L9.8 3.4" {...stroke} />,
  bad: <path d="M3 3 L9 9 M9 3 L3 9" {...stroke} />,
  warn: <path d="M6 2 L6 6.8 M6 9.6 L6 9.7" {...stroke} stroke-width="2.2" />,
};
