import type { ComponentChildren, JSX } from "preact";
import { createStore } from "./store.ts";

/** Where the page is. Filters live in the query, so that a view can be sent to a colleague; keys never do. */
export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

const read = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = createStore<Place>(read());
window.addEventListener("popstate", () => place.set(read()));

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  place.set(read());
}

/** Path below /ui, split: `[]`, `["jobs"]`, `["jobs", "job…"]`. */
export function segments(path: string): readonly string[] {
  return path
    .replace(/^\/ui\/?|^\//, "")
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

export const urls = {
  jobs: (status = "") => (status === "" ? "/ui/jobs" : `/ui/jobs?status=${encodeURIComponent(status)}`),
  job: (id: string) => `/ui/jobs/${encodeURIComponent(id)}`,
  runners: "/ui/runners",
  workspaces: "/ui/workspaces",
};

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly current?: boolean;
  readonly children: ComponentChildren;
}

/** A real link: the middle button and "open in a new tab" work, a plain click stays in the page. */
export function Link({ to, class: className, current, children }: LinkProps): JSX.Element {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={to} class={className} aria-current={current ? "page" : undefined} onClick={onClick}>
      {children}
    </a>
  );
}
