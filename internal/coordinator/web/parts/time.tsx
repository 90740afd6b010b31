import type { JSX } from "preact";
import { absoluteTime, agoWords, durationWords, elapsedMs, runningWords } from "../format.ts";
import { useNow } from "../hooks.ts";

/** "12 s ago", the exact time on hover and for machines. */
export function Ago({ at }: { readonly at: string }): JSX.Element {
  const now = useNow();
  return (
    <time dateTime={at} title={absoluteTime(at)}>
      {agoWords(at, now)}
    </time>
  );
}

interface ElapsedProps {
  readonly from: string | null;
  readonly to: string | null;
}

/** How long something took; it goes on counting while `to` is null. A dash when it has not begun. */
export function Elapsed({ from, to }: ElapsedProps): JSX.Element {
  const now = useNow();
  const ms = elapsedMs(from, to, now);
  if (ms === null) return <span class="faint">–</span>;
  return <span class="number">{to === null ? runningWords(ms) : durationWords(ms)}</span>;
}
