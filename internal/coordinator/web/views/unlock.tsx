import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { LockDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { useSession } from "../context.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, urls } from "../router.tsx";

export type Locked = WorkspaceDoc & { readonly lock: LockDoc };

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
      onConfirm={unlock}
      onClose={onClose}
    >
      <p class="notice warn">
        <strong>If a tool is still working under this lock, unlocking can lose its state.</strong> Unlock only when you
        know that it has ended.
      </p>
      <dl class="facts">
        <dt>Lock</dt>
        <dd class="mono">{lock.ID}</dd>
        <dt>Held by</dt>
        <dd>{lock.Who || "unknown"}</dd>
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
      </dl>
    </Confirm>
  );
}
