import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../context.ts";

interface DownloadProps {
  /** Path of the operator API. */
  readonly path: string;
  /** Name of the file it becomes. */
  readonly file: string;
  /** What is fetched, for screen readers and messages: "state 3". */
  readonly what: string;
  readonly label?: string;
}

/** Fetched with the key in a header and handed over as a file: a plain link would need the key in its address. */
export function DownloadButton({ path, file, what, label = "Download" }: DownloadProps): JSX.Element {
  const { api, announce } = useSession();
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    const answer = await api.text(path);
    setBusy(false);
    if (!answer.ok) return announce(`Could not fetch ${what}. ${answer.error.message}`);
    const url = URL.createObjectURL(answer.value);
    const link = document.createElement("a");
    link.href = url;
    link.download = file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return (
    <button type="button" class="button small" disabled={busy} aria-label={`Download ${what}`} onClick={save}>
      {busy ? "Fetching…" : label}
    </button>
  );
}
