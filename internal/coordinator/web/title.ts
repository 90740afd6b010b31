import { useEffect } from "preact/hooks";

/** Title of the tab; the status of a job comes first, so that it can be read in a row of tabs. */
export function useTitle(text: string): void {
  useEffect(() => {
    document.title = `${text} · runner`;
  }, [text]);
}
