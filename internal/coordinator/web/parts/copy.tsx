import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { useSession } from "../context.ts";

interface CopyProps {
  readonly text: string;
  /** What is copied, for screen readers and the message: "runner token". */
  readonly what: string;
  readonly label?: string;
}

export function CopyButton({ text, what, label = "Copy" }: CopyProps): JSX.Element {
  const { announce } = useSession();
  const [done, setDone] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard: the text is on the page and can be selected.
      return announce(`The browser refuses to copy. Select the ${what} and copy it by hand.`);
    }
    setDone(true);
    announce(`Copied the ${what}.`);
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), 2_000);
  };
  return (
    <button type="button" class="button small" onClick={copy}>
      {done ? "Copied" : label}
      <span class="hidden"> the {what}</span>
    </button>
  );
}
