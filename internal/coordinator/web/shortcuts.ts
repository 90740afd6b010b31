import { useEffect, useRef } from "preact/hooks";
import { createStore } from "./store.ts";

/** One key of a view, as the help dialog names it. Keys are those of `KeyboardEvent.key`. */
export interface Shortcut {
  readonly key: string;
  readonly does: string;
  readonly run: () => void;
}

interface Group {
  readonly title: string;
  readonly keys: readonly Shortcut[];
}

/** What can be pressed now, the view's own first: the help dialog lists it. */
export const shortcutGroups = createStore<readonly Group[]>([]);

/** True while a person types into something: the keys are text then. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Something else has the keyboard: a field, a dialog, or the browser itself. */
function isTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  return isTyping(event) || document.querySelector("dialog[open]") !== null;
}

/** Keys of a view for as long as it is shown. The list is read anew with each press: it may close over state. */
export function useShortcuts(title: string, keys: readonly Shortcut[]): void {
  const current = useRef(keys);
  current.current = keys;
  const names = keys.map(({ key, does }) => `${key} ${does}`).join("\n");
  useEffect(() => {
    const group: Group = { title, keys: current.current };
    shortcutGroups.set([group, ...shortcutGroups.get()]);
    return () => shortcutGroups.set(shortcutGroups.get().filter((one) => one !== group));
  }, [title, names]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTaken(event)) return;
      const found = current.current.find((one) => one.key === event.key);
      if (!found) return;
      event.preventDefault();
      found.run();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
