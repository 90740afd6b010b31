import type { JSX } from "preact";
import { CopyButton } from "../parts/copy.tsx";
import { StartWays } from "./start-ways.tsx";

/** What a runner starts with; the token is null when it is not known any more. */
export interface Identity {
  readonly id: string;
  readonly name: string;
  readonly token: string | null;
}

interface TokenProps {
  readonly identity: Identity & { readonly token: string };
  readonly onClose: () => void;
}

/** A token, shown this once, and how to start the runner with it. */
export function RunnerToken({ identity, onClose }: TokenProps): JSX.Element {
  return (
    <div>
      <p class="notice">
        <strong>The token is shown this once.</strong> Copy it now; only its hash is kept.
      </p>
      <dl class="secrets">
        <dt>Id</dt>
        <dd>
          <code data-testid="runner-id">{identity.id}</code>
          <CopyButton text={identity.id} what="runner id" />
        </dd>
        <dt>Token</dt>
        <dd>
          <code data-testid="runner-token">{identity.token}</code>
          <CopyButton text={identity.token} what="runner token" />
        </dd>
      </dl>
      <h3>Start it</h3>
      <StartWays identity={identity} />
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          I have copied the token
        </button>
      </div>
    </div>
  );
}
