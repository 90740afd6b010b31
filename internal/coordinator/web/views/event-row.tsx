import type { JSX } from "preact";
import type { EventDoc } from "../../../protocol/operator.ts";
import { eventLook } from "../event-look.ts";
import { absoluteTime, clockTime } from "../format.ts";
import { Glyph } from "../parts/badge.tsx";
import { Link, urls } from "../router.tsx";

interface RowProps {
  readonly event: EventDoc;
  /** Names of runners by id; one that is deleted has only its id left. */
  readonly runners: ReadonlyMap<string, string>;
  /** The address of the view with another filter. */
  readonly filtered: (change: { readonly by?: string; readonly subject?: string }) => string;
}

/** One event: when, what, about what, by whom and why. */
export function EventRow({ event, runners, filtered }: RowProps): JSX.Element {
  const look = eventLook(event);
  return (
    <tr>
      <td class="c-time">
        <time dateTime={event.at} title={absoluteTime(event.at)}>
          {clockTime(event.at)}
        </time>
      </td>
      <td class={`c-what tone-${look.tone}`}>
        <Glyph tone={look.tone} />
        <span class="what">{look.label}</span>
      </td>
      <td class="c-about">
        <About event={event} runners={runners} />
      </td>
      <td class="c-by">
        <Link to={filtered({ by: event.by })} class="quiet-link">
          {actorName(event.by, runners)}
        </Link>
      </td>
      <td class="c-why" title={event.why}>
        <Why text={look.detail} />
      </td>
    </tr>
  );
}

/** What an event is about, with a link to it. */
function About({ event, runners }: Pick<RowProps, "event" | "runners">): JSX.Element {
  const subject = subjectOf(event, runners);
  if (subject === null) return <span class="faint">–</span>;
  return (
    <>
      {subject.kind}{" "}
      <Link to={subject.to} class={subject.isId ? "mono" : ""}>
        {subject.name}
      </Link>
    </>
  );
}

function subjectOf({ job_id: job, change_id: change, runner_id: runner, why }: EventDoc, names: RowProps["runners"]) {
  if (job !== null) return { kind: "job", name: job, to: urls.job(job), isId: true };
  if (change !== null) return { kind: "change", name: change, to: urls.job(change), isId: true };
  if (runner !== null) {
    const name = names.get(runner);
    return { kind: "runner", name: name ?? runner, to: urls.runner(runner), isId: name === undefined };
  }
  const workspace = workspaceOf(why);
  if (workspace === null) return null;
  return { kind: "workspace", name: workspace, to: urls.workspace(workspace), isId: false };
}

/** Events have no column for a workspace: those about one begin with its name. */
const workspaceOf = (why: string): string | null => /^workspace ([A-Za-z0-9][\w.-]*)(?:,|$)/.exec(why)?.[1] ?? null;

function Why({ text }: { readonly text: string }): JSX.Element {
  const workspace = workspaceOf(text);
  if (workspace === null) return <>{text}</>;
  return (
    <>
      workspace <Link to={urls.workspace(workspace)}>{workspace}</Link>
      {text.slice(`workspace ${workspace}`.length)}
    </>
  );
}

function actorName(by: string, runners: ReadonlyMap<string, string>): string {
  const id = by.startsWith("runner:") ? by.slice("runner:".length) : null;
  return id === null ? by : (runners.get(id) ?? "runner");
}
