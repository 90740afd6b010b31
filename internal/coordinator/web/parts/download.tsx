import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSession } from "../context.ts";
import { saveBlob } from "../download.ts";

interface DownloadProps {
  /** Path of the operator API. */
  readonly path: string;
  /** Name of the file it becomes. */
  readonly file: string;
  /** What is fetched, for messages and behind the label for screen readers: "serial 3". */
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
    saveBlob(answer.value, file);
  };
  return (
    <button type="button" class="button small" disabled={busy} onClick={save}>
      {busy ? "Fetching…" : label}
      <span class="hidden"> {what}</span>
    </button>
  );
}
