import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { DriftDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { checkDrift } from "../api/estate.ts";
import { useSession } from "../context.ts";
import { Badge } from "../parts/badge.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, urls } from "../router.tsx";
import type { Tone } from "../status.ts";

const LOOK: Record<DriftDoc["status"], { readonly tone: Tone; readonly label: string }> = {
  checking: { tone: "live", label: "checking" },
  none: { tone: "ok", label: "no drift" },
  drifted: { tone: "warn", label: "drifted" },
  failed: { tone: "bad", label: "check failed" },
};

export const DriftBadge = ({ drift }: { readonly drift: DriftDoc }): JSX.Element => <Badge {...LOOK[drift.status]} />;

interface DriftProps {
  readonly workspace: WorkspaceDoc;
  readonly onChanged: () => void;
}

/** Whether the infrastructure is still what was applied last, and how to look. */
export function Drift({ workspace, onChanged }: DriftProps): JSX.Element {
  const [asking, setAsking] = useState(false);
  const { drift } = workspace;
  return (
    <section class="side-part" aria-labelledby="drift">
      <h2 id="drift">Drift</h2>
      {drift === null ? (
        <p class="faint">Never checked. A check plans what was applied last once more and applies nothing.</p>
      ) : (
        <div class="drift">
          <p role="status">
            <DriftBadge drift={drift} /> {drift.summary}
          </p>
          <p class="sub">
            {drift.checked_at ? "checked " : "asked for "}
            <Ago at={drift.checked_at ?? drift.requested_at} /> by {drift.requested_by},{" "}
            <Link to={urls.job(drift.job)}>{drift.status === "drifted" ? "what differs" : "its job"}</Link>
          </p>
        </div>
      )}
      <button
        type="button"
        class="button small"
        disabled={drift?.status === "checking"}
        onClick={() => setAsking(true)}
      >
        Check for drift
      </button>
      {asking ? <AskDrift name={workspace.name} onClose={() => setAsking(false)} onDone={onChanged} /> : null}
    </section>
  );
}

interface AskProps {
  readonly name: string;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function AskDrift({ name, onClose, onDone }: AskProps): JSX.Element {
  const { api, announce } = useSession();
  const check = async () => {
    const answer = await checkDrift(api, name);
    if (answer.ok) {
      announce("The check is queued.");
      onDone();
    }
    return answer;
  };
  return (
    <Confirm title={`Check ${name} for drift?`} action="Check" tone="primary" onConfirm={check} onClose={onClose}>
      <p>
        A runner plans the source and the variables of the last apply against the real infrastructure. Nothing is
        applied; the workspace is locked while it plans.
      </p>
    </Confirm>
  );
}
