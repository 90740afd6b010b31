import type { ComponentChildren, JSX } from "preact";

/** One fact of a line or a column of facts; the parent is a `dl`. */
export function Fact(props: { readonly name: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
