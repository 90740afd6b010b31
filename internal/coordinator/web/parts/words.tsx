import type { JSX } from "preact";

/** A sentence in which `commands` and names stand between backticks, as our messages write them. */
export function Words({ text }: { readonly text: string }): JSX.Element {
  return <>{text.split("`").map((piece, index) => (index % 2 === 1 ? <code key={index}>{piece}</code> : piece))}</>;
}
