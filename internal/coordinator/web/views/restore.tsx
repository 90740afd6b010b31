import type { JSX } from "preact";
import type { StateDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { estate, estateDocs, restoreState } from "../api/estate.ts";
import { useSession } from "../context.ts";
import { useQuery } from "../hooks.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Loaded } from "../parts/states.tsx";
import { Ago } from "../parts/time.tsx";
import { DiffSummary } from "./state-diff.tsx";

interface RestoreProps {
  readonly workspace: WorkspaceDoc;
  readonly version: StateDoc;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Says what the state will hold afterwards before anything is done: it is decided by what changes, not by a number. */
export function AskRestore({ workspace, version, onClose, onDone }: RestoreProps): JSX.Element {
  const { api, announce } = useSession();
  const current = workspace.serial ?? 0;
  const diff = useQuery(
    estate.stateDiff(workspace.name, String(current), String(version.serial)),
    estateDocs.stateDiff,
    { refreshOn: () => false, everyMs: 600_000 },
  );
  const restore = async (why: string) => {
    const answer = await restoreState(api, workspace.name, version.serial, why);
    if (answer.ok) {
      announce(`Serial ${version.serial} is restored as serial ${answer.value.serial}.`);
      onDone();
    }
    return answer;
  };
  return (
    <Confirm
      title={`Restore serial ${version.serial} of ${workspace.name}?`}
      action="Restore"
      tone="danger"
      askWhy="Reason (shown in the timeline)"
      needsWhy
      onConfirm={restore}
      onClose={onClose}
    >
      <p>
        The version of <Ago at={version.created_at} /> is stored once more as a new version. No version is lost, and
        nothing is changed in your infrastructure: the next plan compares it with the restored state.
      </p>
      <div class="restore-diff">
        <strong>The state will hold, against now:</strong>
        <Loaded query={diff} what="difference">
          {(known) => (
            <>
              <DiffSummary diff={known} />
              <ul class="mono">
                {known.resources.slice(0, SHOWN).map(({ address, action }) => (
                  <li key={`${action} ${address}`}>
                    {action} {address}
                  </li>
                ))}
                {known.resources.length > SHOWN ? <li>and {known.resources.length - SHOWN} more</li> : null}
              </ul>
            </>
          )}
        </Loaded>
      </div>
    </Confirm>
  );
}

/** Addresses named in the question; the whole difference is on the page. */
const SHOWN = 12;
