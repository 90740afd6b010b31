import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useStore } from "../hooks.ts";
import { navigate, urls } from "../router.tsx";
import { isTyping, shortcutGroups, useShortcuts } from "../shortcuts.ts";
import { Modal } from "./confirm.tsx";

/** Behind `g`, each goes to a view. */
const PLACES = [
  { key: "j", does: "Go to the jobs", to: urls.jobs() },
  { key: "r", does: "Go to the runners", to: urls.runners },
  { key: "w", does: "Go to the workspaces", to: urls.workspaces },
  { key: "e", does: "Go to the events", to: urls.events() },
] as const;
/** How long after `g` the second key counts. */
const CHORD_MS = 1_500;

/** The keys that work in every view, and the dialog that lists all that work now. */
export function Keyboard(): JSX.Element | null {
  const [open, setOpen] = useState(false);
  useShortcuts("Everywhere", [
    { key: "?", does: "Show these keys", run: () => setOpen(true) },
    ...PLACES.map(({ key, does }) => ({ key: `g ${key}`, does, run: () => {} })),
  ]);
  useGoTo();
  return (
    <>
      <button
        type="button"
        class="button quiet-button keys-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => setOpen(true)}
      >
        ?
      </button>
      {open ? <Help onClose={() => setOpen(false)} /> : null}
    </>
  );
}

/** `g` and then a letter; ahead of the keys of a view, for which the letter may mean something by itself. */
function useGoTo(): void {
  useEffect(() => {
    let until = 0;
    const onKey = (event: KeyboardEvent) => {
      const plain = !(event.ctrlKey || event.metaKey || event.altKey || isTyping(event));
      if (!plain || document.querySelector("dialog[open]") !== null) {
        until = 0;
        return;
      }
      const target = event.timeStamp < until ? PLACES.find((one) => one.key === event.key) : undefined;
      until = event.key === "g" ? event.timeStamp + CHORD_MS : 0;
      if (!target) return;
      event.preventDefault();
      navigate(target.to);
    };
    document.addEventListener("keydown", onKey, { capture: true });
    return () => document.removeEventListener("keydown", onKey, { capture: true });
  }, []);
}

function Help({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const groups = useStore(shortcutGroups);
  return (
    <Modal title="Keyboard" onClose={onClose}>
      {groups
        .filter(({ keys }) => keys.length > 0)
        .map(({ title, keys }) => (
          <section key={title} class="keys">
            <h3>{title}</h3>
            <dl>
              {keys.map(({ key, does }) => (
                <div key={key}>
                  <dt>
                    {key.split(" ").map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Modal>
  );
}
