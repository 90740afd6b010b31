import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { LockDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { lists, paths } from "../api/operations.ts";
import { count } from "../format.ts";
import { useQuery, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Filters } from "../parts/filters.tsx";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, place, urls, withQuery } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { useTitle } from "../title.ts";
import { AskUnlock, isLocked, type Locked, lockOperation } from "./unlock.tsx";
import { DriftBadge } from "./workspace-drift.tsx";

/** Filters of the list, in the address as `?is=`. */
const KINDS = [
  { id: "", label: "All", fits: () => true },
  { id: "locked", label: "Locked", fits: isLocked },
  { id: "drifted", label: "Drifted", fits: ({ drift }: WorkspaceDoc) => drift?.status === "drifted" },
] as const;

export function WorkspacesView(): JSX.Element {
  useTitle("Workspaces");
  // Locks come and go with terraform itself and are no events: they are read again often.
  const query = useQuery(paths.workspaces, lists.workspaces, { refreshOn: () => true, everyMs: 3_000 });
  const [asked, setAsked] = useState<Locked | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const { query: address } = useStore(place);
  const [text, kind] = [address.get("q") ?? "", address.get("is") ?? ""];
  useShortcuts("Workspaces", [{ key: "/", does: "Search", run: () => search.current?.focus() }]);
  const chosen = KINDS.find((one) => one.id === kind) ?? KINDS[0];
  const fits = (one: WorkspaceDoc) =>
    chosen.fits(one) && `${one.name}\n${one.id}`.toLowerCase().includes(text.trim().toLowerCase());
  return (
    <section aria-labelledby="title">
      <div class="view-head">
        <h1 id="title">Workspaces</h1>
      </div>
      <Loaded query={query} what="workspaces">
        {(workspaces) =>
          workspaces.length === 0 ? (
            <Empty title="No workspace yet">
              <p>
                A workspace holds the Terraform state of one deployment, every version of it. The first job of type{" "}
                <code>terraform-deploy</code> makes it:
              </p>
              <Command>runner job submit -f job.yaml --wait</Command>
            </Empty>
          ) : (
            <>
              <Filters
                label="Search workspaces"
                field={search}
                text={text}
                chosen={kind}
                chips={KINDS.map(({ id, label, fits: all }) => ({ id, label, count: workspaces.filter(all).length }))}
                target={(q, is) => withQuery(urls.workspaces, { q, is })}
              />
              <WorkspaceTable workspaces={workspaces.filter(fits)} onUnlock={setAsked} />
            </>
          )
        }
      </Loaded>
      {asked ? <AskUnlock workspace={asked} onClose={() => setAsked(null)} onDone={query.reload} /> : null}
    </section>
  );
}

interface TableProps {
  readonly workspaces: readonly WorkspaceDoc[];
  readonly onUnlock: (workspace: Locked) => void;
}

function WorkspaceTable({ workspaces, onUnlock }: TableProps): JSX.Element {
  if (workspaces.length === 0) {
    return (
      <Empty title="No workspace fits">
        <p>
          None is like this. <Link to={urls.workspaces}>Show all workspaces</Link>
        </p>
      </Empty>
    );
  }
  return (
    <table class="list workspaces">
      <TableHead columns={["Lock", "Name", "State", "Changed", "Drift"]} withActions />
      <tbody>
        {workspaces.map((workspace) => (
          <WorkspaceRow key={workspace.id} workspace={workspace} onUnlock={onUnlock} />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly workspace: WorkspaceDoc;
  readonly onUnlock: (workspace: Locked) => void;
}

function WorkspaceRow({ workspace, onUnlock }: RowProps): JSX.Element {
  return (
    <tr>
      <td class="c-status">
        {workspace.lock ? <Badge tone="warn" label="locked" /> : <Badge tone="idle" label="free" />}
        {workspace.lock ? <LockHolder lock={workspace.lock} /> : null}
      </td>
      <td class="c-name">
        <Link to={urls.workspace(workspace.name)} class="name">
          {workspace.name}
        </Link>
        <div class="sub mono">{workspace.id}</div>
      </td>
      <td data-label="State">
        {workspace.serial === null ? (
          <span class="faint">no state yet</span>
        ) : (
          <>
            serial <span class="number">{workspace.serial}</span>
            <div class="sub">{count(workspace.states, "version")} kept</div>
          </>
        )}
      </td>
      <td data-label="Changed">
        {workspace.updated_at ? <Ago at={workspace.updated_at} /> : <span class="faint">never</span>}
      </td>
      <td data-label="Drift">
        {workspace.drift ? <DriftBadge drift={workspace.drift} /> : <span class="faint">not checked</span>}
      </td>
      <td class="c-actions">
        {isLocked(workspace) ? (
          <button
            type="button"
            class="button small danger-quiet"
            aria-label={`Unlock ${workspace.name}`}
            onClick={() => onUnlock(workspace)}
          >
            Unlock
          </button>
        ) : null}
      </td>
    </tr>
  );
}

function LockHolder({ lock }: { readonly lock: LockDoc }): JSX.Element {
  return (
    <div class="sub">
      {lockOperation(lock)} by{" "}
      {lock.job_id ? <Link to={urls.job(lock.job_id)}>a job</Link> : lock.Who || "someone unknown"},{" "}
      <Ago at={lock.locked_at} />
    </div>
  );
}
