import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { RunnerError } from "../../../protocol/errors.ts";
import { runnerNameProblem } from "../api/operations.ts";
import { useSession } from "../context.ts";
import { Modal } from "../parts/confirm.tsx";
import { Problem } from "../parts/states.tsx";
import { type Identity, RunnerToken } from "./runner-token.tsx";

type Created = Identity & { readonly token: string };

/** Names a runner, then shows its token the only time it can be seen. */
export function CreateRunner({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [created, setCreated] = useState<Created | null>(null);
  return created === null ? (
    <Modal title="Create a runner" onClose={onClose}>
      <NameForm onCreated={setCreated} onClose={onClose} />
    </Modal>
  ) : (
    // Escape does not close this one: the token cannot be shown again.
    <Modal key="token" title="Runner created" onClose={() => {}}>
      <RunnerToken identity={created} onClose={onClose} />
    </Modal>
  );
}

interface NameFormProps {
  readonly onCreated: (created: Created) => void;
  readonly onClose: () => void;
}

function NameForm({ onCreated, onClose }: NameFormProps): JSX.Element {
  const { operations } = useSession();
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<RunnerError | null>(null);
  const field = useId();
  const problem = name === "" ? null : runnerNameProblem(name);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const answer = await operations.createRunner(name);
    setBusy(false);
    if (answer.ok) onCreated({ ...answer.value, name });
    else setError(answer.error);
  };
  return (
    <form onSubmit={submit}>
      <div class="field">
        <label for={field}>Name</label>
        <input
          id={field}
          value={name}
          autoComplete="off"
          spellcheck={false}
          placeholder="eu-1"
          aria-invalid={problem !== null}
          aria-describedby={`${field}-help`}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <span id={`${field}-help`} class={problem ? "help bad" : "help"}>
          {problem ?? "How you will recognise it: a site, a cluster, a machine."}
        </span>
      </div>
      {error ? <Problem error={error} /> : null}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Back
        </button>
        <button type="submit" class="button primary" disabled={busy || name === "" || problem !== null}>
          {busy ? "Creating…" : "Create"}
        </button>
      </div>
    </form>
  );
}
