import { createStore } from "./store.ts";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** Only the taste of this browser is remembered here; the key never is. */
const NAME = "runner.theme";

function stored(): Theme {
  try {
    const value = localStorage.getItem(NAME);
    return THEMES.find((theme) => theme === value) ?? "auto";
  } catch {
    return "auto";
  }
}

export const theme = createStore<Theme>(stored());

export function applyTheme(next: Theme): void {
  theme.set(next);
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(NAME, next);
  } catch {
    // Private windows may refuse storage; the choice then lasts as long as the page.
  }
}
