import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { RunnerError } from "../../protocol/errors.ts";
import type { ApiClient } from "./api/client.ts";
import type { Live } from "./api/live.ts";
import type { Operations } from "./api/operations.ts";

/** What every view of a signed-in page has. */
export interface Session {
  readonly api: ApiClient;
  readonly operations: Operations;
  readonly live: Live;
  /** Says a short sentence to everyone: shown for a moment, read out by screen readers. */
  readonly announce: (text: string) => void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new RunnerError("defect", "a view was rendered outside a session");
  return session;
}
