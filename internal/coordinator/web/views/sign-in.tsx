import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { RunnerError } from "../../../protocol/errors.ts";
import { createClient } from "../api/client.ts";
import { lists, paths } from "../api/operations.ts";
import { Brand } from "../parts/brand.tsx";
import { Problem } from "../parts/states.tsx";
import { useTitle } from "../title.ts";

interface SignInProps {
  /** Why the person is here again, e.g. a key that was rotated; null the first time. */
  readonly notice: string | null;
  readonly onKey: (key: string) => void;
}

/** Asks for an operator key and tries it before it is kept. */
export function SignIn({ notice, onKey }: SignInProps): JSX.Element {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<RunnerError | null>(null);
  const field = useId();
  useTitle("Sign in");
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const answer = await createClient({ key: key.trim(), onRefused: () => {} }).get(paths.runners, lists.runners);
    setBusy(false);
    if (answer.ok) onKey(key.trim());
    else setError(answer.error);
  };
  return (
    <main class="sign-in">
      <form class="panel" onSubmit={submit}>
        <Brand />
        <h1>Sign in</h1>
        {notice ? (
          <p class="notice" role="status">
            {notice}
          </p>
        ) : null}
        <div class="field">
          <label for={field}>Operator key</label>
          <input
            id={field}
            type="password"
            autoComplete="off"
            spellcheck={false}
            required
            aria-describedby={`${field}-help`}
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </div>
        {error ? <Problem error={error} /> : null}
        <button type="submit" class="button primary wide" disabled={busy || key.trim() === ""}>
          {busy ? "Checking…" : "Sign in"}
        </button>
        <div id={`${field}-help`} class="help">
          <p>
            The coordinator made the key at its first start: <code>admin.key</code> in its data folder (with{" "}
            <code>runner up</code>: <code>.runner/coordinator/</code>).
          </p>
          <p>It stays in this tab only and is forgotten when the tab is closed.</p>
        </div>
      </form>
    </main>
  );
}
