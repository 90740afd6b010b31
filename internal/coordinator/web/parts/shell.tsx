import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSession } from "../context.ts";
import { useStore } from "../hooks.ts";
import { Link, place, segments, urls } from "../router.tsx";
import { applyTheme, THEMES, theme } from "../theme.ts";
import { Brand } from "./brand.tsx";
import { Keyboard } from "./keyboard.tsx";

interface ShellProps {
  readonly message: string;
  readonly onSignOut: () => void;
  readonly children: ComponentChildren;
}

/** The frame around every view: where one can go, whether the page is live, what just happened. */
export function Shell({ message, onSignOut, children }: ShellProps): JSX.Element {
  const { live } = useSession();
  const lost = useStore(live.connection.lost);
  const { path } = useStore(place);
  const section = segments(path)[0] ?? "jobs";
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    // After a move inside the page, the keyboard and the screen reader start at the new view.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [path]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <Link to={urls.jobs()} class="home">
          <Brand />
        </Link>
        <nav aria-label="Sections">
          <Link to={urls.jobs()} current={section === "jobs"}>
            Jobs
          </Link>
          <Link to={urls.runners} current={section === "runners"}>
            Runners
          </Link>
          <Link to={urls.workspaces} current={section === "workspaces"}>
            Workspaces
          </Link>
          <Link to={urls.events()} current={section === "events"}>
            Events
          </Link>
        </nav>
        <div class="top-end">
          <Keyboard />
          <ThemeButton />
          <button type="button" class="button quiet-button" onClick={onSignOut}>
            Sign out
          </button>
        </div>
      </header>
      <div class="banner-place" role="status" aria-live="polite">
        {lost ? (
          <div class="banner">
            <p>Connection lost, retrying. What you see may be out of date.</p>
            <button type="button" class="button small" onClick={() => live.retry()}>
              Retry now
            </button>
          </div>
        ) : null}
      </div>
      <main id="main" tabIndex={-1} ref={main}>
        {children}
      </main>
      <div class="toast-place" role="status" aria-live="polite">
        {message === "" ? null : <p class="toast">{message}</p>}
      </div>
    </>
  );
}

const THEME_LABEL = { auto: "Auto", light: "Light", dark: "Dark" } as const;

function ThemeButton(): JSX.Element {
  const current = useStore(theme);
  const next = THEMES[(THEMES.indexOf(current) + 1) % THEMES.length] ?? "auto";
  return (
    <button
      type="button"
      class="button quiet-button"
      aria-label={`Theme: ${THEME_LABEL[current]}. Change to ${THEME_LABEL[next]}`}
      title={`Theme: ${THEME_LABEL[current]}`}
      onClick={() => applyTheme(next)}
    >
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 2 A6 6 0 0 1 8 14 Z" fill="currentColor" />
      </svg>
      <span class="theme-word">{THEME_LABEL[current]}</span>
    </button>
  );
}
