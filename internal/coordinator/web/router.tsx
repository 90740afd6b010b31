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
  /** A job's page with its log narrowed; empty text: not. */
  jobLog: (id: string, filter: { readonly execution: string; readonly step: string }) => {
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ""));
    return urls.job(id) + (query.size === 0 ? "" : `?${query}`);
  },
  runners: "/ui/runners",
  runner: (id: string) => `/ui/runners/${encodeURIComponent(id)}`,
  workspaces: "/ui/workspaces",
  workspace: (name: string) => `/ui/workspaces/${encodeURIComponent(name)}`,
  events: (filter: Readonly<Record<string, string>> = {}) => withQuery("/ui/events", filter),
};

/** A path with what is not empty of `query`; the address of a view with its filters. */
export function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

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
