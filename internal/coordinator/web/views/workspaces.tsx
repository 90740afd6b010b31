import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { LockDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { lists, paths } from "../api/operations.ts";
import { count } from "../format.ts";
import { useQuery } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, urls } from "../router.tsx";
import { useTitle } from "../title.ts";
import { AskUnlock, type Locked } from "./unlock.tsx";

const isLocked = (workspace: WorkspaceDoc): workspace is Locked => workspace.lock !== null;

export function WorkspacesView(): JSX.Element {
  useTitle("Workspaces");
  // Locks come and go with terraform itself and are no events: they are read again often.
  const query = useQuery(paths.workspaces, lists.workspaces, { refreshOn: () => true, everyMs: 3_000 });
  const [asked, setAsked] = useState<Locked | null>(null);
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
            <table class="list workspaces">
              <thead>
                <tr>
                  <th scope="col">Lock</th>
                  <th scope="col">Name</th>
                  <th scope="col">State</th>
                  <th scope="col">Changed</th>
                  <th scope="col">
                    <span class="hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {workspaces.map((workspace) => (
                  <WorkspaceRow key={workspace.id} workspace={workspace} onUnlock={setAsked} />
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
      {asked ? <AskUnlock workspace={asked} onClose={() => setAsked(null)} onDone={query.reload} /> : null}
    </section>
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
        <span class="name">{workspace.name}</span>
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
  const operation = lock.Operation.replace(/^OperationType/, "").toLowerCase() || "an operation";
  return (
    <div class="sub">
      {operation} by {lock.job_id ? <Link to={urls.job(lock.job_id)}>a job</Link> : lock.Who || "someone unknown"},{" "}
      <Ago at={lock.locked_at} />
    </div>
  );
}
