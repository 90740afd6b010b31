import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { LockDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { useSession } from "../context.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, urls } from "../router.tsx";

export type Locked = WorkspaceDoc & { readonly lock: LockDoc };

export const isLocked = (workspace: WorkspaceDoc): workspace is Locked => workspace.lock !== null;

interface AskProps {
  readonly workspace: Locked;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/**
 * Frees the lock that the person looked at, never one that came meanwhile. When its holder is alive the coordinator
 * refuses; the dialog then says so and offers force as a second, separate decision.
 */
export function AskUnlock({ workspace, onClose, onDone }: AskProps): JSX.Element {
  const { operations, announce } = useSession();
  const [alive, setAlive] = useState(false);
  const { lock } = workspace;
  const unlock = async () => {
    const answer = await operations.unlock(workspace.name, lock.ID, alive);
    if (!answer.ok) {
      setAlive(answer.error.kind === "conflict");
      return answer;
    }
    announce(`${workspace.name} is unlocked.`);
    onDone();
    return answer;
  };
  return (
    <Confirm
      title={`Unlock ${workspace.name}?`}
      action={alive ? "Unlock by force" : "Unlock"}
      tone="danger"
      mustType={{
        label: `To go on, type the name “${workspace.name}” or the id of the lock`,
        words: [workspace.name, lock.ID],
      }}
      onConfirm={unlock}
      onClose={onClose}
    >
      <p class="notice warn">
        <strong>If a tool still works under this lock, two of them then write one state.</strong> What was made
        meanwhile can be missing from it, and the next apply would make it again. Unlock only when you know that the
        tool has ended.
      </p>
      <LockFacts lock={lock} />
    </Confirm>
  );
}

/** Who holds a lock, for what and since when. */
export function LockFacts({ lock }: { readonly lock: LockDoc }): JSX.Element {
  return (
    <dl class="facts">
      <dt>Held by</dt>
      <dd>{lock.Who || "unknown"}</dd>
      <dt>For</dt>
      <dd>{lockOperation(lock)}</dd>
      <dt>Since</dt>
      <dd>
        <Ago at={lock.locked_at} />
      </dd>
      {lock.job_id ? (
        <>
          <dt>Job</dt>
          <dd>
            <Link to={urls.job(lock.job_id)} class="mono">
              {lock.job_id}
            </Link>
          </dd>
        </>
      ) : null}
      <dt>Lock</dt>
      <dd class="mono">{lock.ID}</dd>
    </dl>
  );
}

/** Terraform's word for what it does, without its prefix. */
export const lockOperation = (lock: LockDoc): string =>
  lock.Operation.replace(/^OperationType/, "").toLowerCase() || "an operation";
