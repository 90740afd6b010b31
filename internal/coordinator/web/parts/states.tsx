import type { ComponentChildren, JSX } from "preact";
import type { RunnerError } from "../../../protocol/errors.ts";
import type { Query } from "../hooks.ts";

/** Nothing here yet: says what would be, and what to run next. */
export function Empty(props: { readonly title: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}

export function Command({ children }: { readonly children: string }): JSX.Element {
  return (
    <pre class="command">
      <code>{children}</code>
    </pre>
  );
}

export function Problem({ error }: { readonly error: RunnerError }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <strong>{error.message}</strong>
      {error.remedy ? <span> {error.remedy}</span> : null}
    </div>
  );
}

interface LoadedProps<T> {
  readonly query: Query<T>;
  readonly what: string;
  readonly children: (data: T) => ComponentChildren;
}

/** The data of a query; before it came a quiet word, and an error on top of what was last known. */
export function Loaded<T>({ query, what, children }: LoadedProps<T>): JSX.Element {
  // The banner already speaks for a lost connection.
  const error = query.error && (query.error.kind !== "unreachable" || query.data === null) ? query.error : null;
  return (
    <>
      {error ? <Problem error={error} /> : null}
      {query.data !== null ? children(query.data) : error ? null : <p class="quiet">Loading {what}…</p>}
    </>
  );
}
