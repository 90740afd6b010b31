import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { paths } from "../api/operations.ts";
import { useSession } from "../context.ts";
import { count } from "../format.ts";
import { HIT_LIMIT } from "./find.ts";
import type { Find } from "./use-find.ts";
import type { LiveLog } from "./use-log.ts";

interface ToolsProps {
  readonly id: string;
  readonly log: LiveLog;
  readonly following: boolean;
  readonly onFollow: (on: boolean) => void;
  readonly times: boolean;
  readonly onTimes: (on: boolean) => void;
  readonly find: Find;
  readonly onShow: (index: number) => void;
}

export function LogTools(props: ToolsProps): JSX.Element {
  const { log, following } = props;
  const live = log.state !== "ended" && log.state !== "refused";
  return (
    <div class="log-tools">
      <span class="log-state" role="status" aria-live="polite">
        {stateWords(log, following)}
      </span>
      <FindField find={props.find} onShow={props.onShow} />
      <label class="check">
        <input type="checkbox" checked={props.times} onChange={(event) => props.onTimes(event.currentTarget.checked)} />
        Times
      </label>
      {live ? (
        <button type="button" class="button small" aria-pressed={following} onClick={() => props.onFollow(!following)}>
          {following ? "Pause" : "Follow"}
        </button>
      ) : null}
      <Download id={props.id} />
    </div>
  );
}

function stateWords(log: LiveLog, following: boolean): string {
  if (log.error && log.state === "refused") return log.error.message;
  const lines = count(log.buffer.lines, "line");
  if (log.state === "connecting") return "Loading the log…";
  if (log.state === "lost") return "Connection lost, retrying";
  if (log.state === "ended") return lines;
  return following ? `${lines}, live` : `${lines}, paused`;
}

function FindField({ find, onShow }: { readonly find: Find; readonly onShow: (index: number) => void }): JSX.Element {
  const field = useId();
  const go = (by: 1 | -1) => {
    const index = find.step(by);
    if (index >= 0) onShow(index);
  };
  return (
    <form
      class="log-find"
      onSubmit={(event) => {
        event.preventDefault();
        go(1);
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !event.shiftKey) return;
        event.preventDefault();
        go(-1);
      }}
    >
      <label for={field} class="hidden">
        Find in the log
      </label>
      <input
        id={field}
        type="search"
        placeholder="Find in the log"
        value={find.text}
        onInput={(event) => find.setText(event.currentTarget.value)}
      />
      <span class="find-count" role="status" aria-live="polite">
        {find.text === "" ? "" : hitWords(find)}
      </span>
    </form>
  );
}

function hitWords(find: Find): string {
  if (find.hits.length === 0) return "none";
  const all = find.hits.length >= HIT_LIMIT ? `${HIT_LIMIT}+` : String(find.hits.length);
  return find.at < 0 ? all : `${find.at + 1} of ${all}`;
}

/** Fetched with the key in a header and handed over as a file: a plain link would need the key in its address. */
function Download({ id }: { readonly id: string }): JSX.Element {
  const { api, announce } = useSession();
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    const answer = await api.text(paths.logText(id));
    setBusy(false);
    if (!answer.ok) return announce(`The log could not be fetched. ${answer.error.message}`);
    const url = URL.createObjectURL(answer.value);
    const link = document.createElement("a");
    link.href = url;
    link.download = `${id}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return (
    <button type="button" class="button small" disabled={busy} onClick={save}>
      {busy ? "Fetching…" : "Download"}
    </button>
  );
}
