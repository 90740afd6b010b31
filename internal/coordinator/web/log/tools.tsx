import type { JSX, RefObject } from "preact";
import { useId } from "preact/hooks";
import { paths } from "../api/operations.ts";
import { count } from "../format.ts";
import { DownloadButton } from "../parts/download.tsx";
import type { Row } from "./buffer.ts";
import type { LogFilter } from "./log-view.tsx";
import type { Find } from "./use-find.ts";
import type { LiveLog } from "./use-log.ts";

interface ToolsProps {
  readonly id: string;
  readonly log: LiveLog;
  readonly following: boolean;
  readonly onFollow: (on: boolean) => void;
  readonly times: boolean;
  readonly onTimes: (on: boolean) => void;
  readonly wrap: boolean;
  readonly onWrap: (on: boolean) => void;
  readonly find: Find;
  readonly findField: RefObject<HTMLInputElement | null>;
  readonly onStep: (by: 1 | -1) => void;
  readonly filter: LogFilter;
  readonly onFilter: (filter: LogFilter) => void;
}

export function LogTools(props: ToolsProps): JSX.Element {
  const { log, following } = props;
  const live = log.state !== "ended" && log.state !== "refused";
  return (
    <div class="log-tools">
      <span class="log-state" role="status" aria-live="polite">
        {stateWords(log, following)}
      </span>
      <FindField find={props.find} field={props.findField} onStep={props.onStep} />
      <Choices headings={log.buffer.headings} filter={props.filter} onFilter={props.onFilter} />
      <Check label="Wrap" on={props.wrap} onChange={props.onWrap} />
      <Check label="Times" on={props.times} onChange={props.onTimes} />
      {live ? (
        <button type="button" class="button small" aria-pressed={following} onClick={() => props.onFollow(!following)}>
          {following ? "Pause" : "Follow"}
        </button>
      ) : null}
      <DownloadButton path={paths.logText(props.id)} file={`${props.id}.log`} what="the log" />
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

interface CheckProps {
  readonly label: string;
  readonly on: boolean;
  readonly onChange: (on: boolean) => void;
}

function Check({ label, on, onChange }: CheckProps): JSX.Element {
  return (
    <label class="check">
      <input type="checkbox" checked={on} onChange={(event) => onChange(event.currentTarget.checked)} />
      {label}
    </label>
  );
}

interface FindProps {
  readonly find: Find;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly onStep: (by: 1 | -1) => void;
}

function FindField({ find, field, onStep }: FindProps): JSX.Element {
  const id = useId();
  return (
    <form
      class="log-find"
      onSubmit={(event) => {
        event.preventDefault();
        onStep(1);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          find.clear();
          field.current?.blur();
        }
        if (event.key !== "Enter" || !event.shiftKey) return;
        event.preventDefault();
        onStep(-1);
      }}
    >
      <label for={id} class="hidden">
        Find in the log
      </label>
      <input
        id={id}
        ref={field}
        type="search"
        placeholder="Find in the log"
        value={find.text}
        onInput={(event) => find.setText(event.currentTarget.value)}
      />
      <span class="find-count" role="status" aria-live="polite">
        {find.text === "" ? "" : hitWords(find)}
      </span>
      <button
        type="button"
        class="button small"
        aria-label="Previous hit"
        disabled={find.count === 0}
        onClick={() => onStep(-1)}
      >
        ↑
      </button>
      {/* Never disabled: Enter would not send a form whose button is, and hits may be found only when it is pressed. */}
      <button type="submit" class="button small" aria-label="Next hit">
        ↓
      </button>
    </form>
  );
}

function hitWords(find: Find): string {
  if (find.count === 0) return find.searching ? "…" : "none";
  const all = find.count.toLocaleString("en") + (find.searching ? "…" : "");
  return find.at === 0 ? all : `${find.at.toLocaleString("en")} of ${all}`;
}

interface ChoicesProps {
  readonly headings: readonly Row[];
  readonly filter: LogFilter;
  readonly onFilter: (filter: LogFilter) => void;
}

/** Which execution and which step; shown once there is something to choose. */
function Choices({ headings, filter, onFilter }: ChoicesProps): JSX.Element {
  const executions = headings.filter((row) => row.kind === "heading").map((row) => row.execution);
  const steps = headings.filter(
    (row) => row.kind === "step" && (filter.execution === "" || row.execution === filter.execution),
  );
  const names = [...new Set(steps.map((row) => row.step))];
  return (
    <>
      {executions.length > 1 || filter.execution !== "" ? (
        <Choice
          label="Execution"
          value={filter.execution}
          options={[
            ["", "All executions"],
            ...executions.map((one, index) => [one, `Execution ${index + 1}`] as const),
          ]}
          onChoose={(execution) => onFilter({ execution, step: "" })}
        />
      ) : null}
      {names.length > 1 || filter.step !== "" ? (
        <Choice
          label="Step"
          value={filter.step}
          options={[["", "All steps"], ...names.map((one) => [one, one] as const)]}
          onChoose={(step) => onFilter({ ...filter, step })}
        />
      ) : null}
    </>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps): JSX.Element {
  return (
    <select class="choice" aria-label={label} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
      {options.map(([one, words]) => (
        <option key={one} value={one}>
          {words}
        </option>
      ))}
    </select>
  );
}
