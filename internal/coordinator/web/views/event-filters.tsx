import type { JSX, RefObject } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import type { EventFilter } from "../api/timeline.ts";
import { eventLook } from "../event-look.ts";
import { Link } from "../router.tsx";

/** Names that people look for; the address takes any. */
const KINDS: readonly { readonly title: string; readonly whats: readonly string[] }[] = [
  {
    title: "Jobs",
    whats: ["queued", "available", "in-progress", "finished", "failed", "timed-out", "cancelled", "cleanup", "retried"],
  },
  { title: "Changes", whats: ["planning", "approval-awaiting", "applying", "approval-denied", "approval-expired"] },
  { title: "Steps and refusals", whats: ["step:", "refused:"] },
  {
    title: "Runners",
    whats: ["session", "runner-created", "runner-deleted", "token-rotated", "settings-changed", "draining"],
  },
  {
    title: "Machines",
    whats: ["updated", "update-rolled-back", "update-failed", "disk-low", "memory-low", "oom-kill"],
  },
  {
    title: "Workspaces",
    whats: ["locked", "unlocked", "drift-check", "state-restored", "state-replaced", "state-deleted"],
  },
];
const GROUP_WORDS: Readonly<Record<string, string>> = { "step:": "every step", "refused:": "everything refused" };
const kindWords = (what: string) => GROUP_WORDS[what] ?? eventLook({ what, why: "" }).label;

interface FiltersProps {
  readonly filter: EventFilter;
  readonly field: RefObject<HTMLInputElement | null>;
  /** Names of runners by id. */
  readonly runners: ReadonlyMap<string, string>;
  readonly onChange: (change: Partial<EventFilter>) => void;
  /** The address without any filter. */
  readonly clear: string;
}

/** Subject, kind and actor; each of them stands in the address. */
export function EventFilters({ filter, field, runners, onChange, clear }: FiltersProps): JSX.Element {
  const id = useId();
  const isFiltered = filter.subject !== "" || filter.what !== "" || filter.by !== "";
  return (
    <search class="event-filters">
      <div>
        <label for={`${id}-subject`}>About</label>
        <SubjectField id={`${id}-subject`} field={field} subject={filter.subject} onChange={onChange} />
      </div>
      <div>
        <label for={`${id}-what`}>Kind</label>
        <select
          id={`${id}-what`}
          value={filter.what}
          onChange={(event) => onChange({ what: event.currentTarget.value })}
        >
          <option value="">All kinds</option>
          {KINDS.some(({ whats }) => whats.includes(filter.what)) || filter.what === "" ? null : (
            <option value={filter.what}>{kindWords(filter.what)}</option>
          )}
          {KINDS.map(({ title, whats }) => (
            <optgroup key={title} label={title}>
              {whats.map((what) => (
                <option key={what} value={what}>
                  {kindWords(what)}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </div>
      <div>
        <label for={`${id}-by`}>By</label>
        <select id={`${id}-by`} value={filter.by} onChange={(event) => onChange({ by: event.currentTarget.value })}>
          {actors(filter.by, runners).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </div>
      {isFiltered ? (
        <Link to={clear} class="clear">
          Clear filters
        </Link>
      ) : null}
    </search>
  );
}

interface SubjectProps extends Pick<FiltersProps, "field" | "onChange"> {
  readonly id: string;
  readonly subject: string;
}

/** What is typed is kept until it is sent off: events that arrive meanwhile draw this view anew. */
function SubjectField({ id, field, subject, onChange }: SubjectProps): JSX.Element {
  const [typed, setTyped] = useState(subject);
  useEffect(() => setTyped(subject), [subject]);
  return (
    <input
      id={id}
      ref={field}
      type="search"
      class="mono"
      placeholder="Id of a job, change or runner"
      spellcheck={false}
      autoComplete="off"
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
      onChange={(event) => {
        const wanted = event.currentTarget.value.trim();
        setTyped(wanted);
        onChange({ subject: wanted });
      }}
    />
  );
}

function actors(chosen: string, runners: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  const known = [
    ["", "Everyone"],
    ["admin", "admin"],
    ["system", "system"],
    ["runner:", "every runner"],
    ...[...runners].map(([id, name]) => [`runner:${id}`, `runner ${name}`] as const),
  ] as const;
  return known.some(([value]) => value === chosen) ? known : [...known, [chosen, chosen]];
}
