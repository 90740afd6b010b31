import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { createClient } from "./api/client.ts";
import { createLive } from "./api/live.ts";
import { createOperations } from "./api/operations.ts";
import { type Session, SessionContext } from "./context.ts";
import { useStore } from "./hooks.ts";
import { forgetKey, rememberKey, storedKey } from "./key.ts";
import { Shell } from "./parts/shell.tsx";
import { place, segments } from "./router.tsx";
import { EventsView } from "./views/events.tsx";
import { JobPage } from "./views/job.tsx";
import { JobsView } from "./views/jobs.tsx";
import { NotFound } from "./views/not-found.tsx";
import { RunnerPage } from "./views/runner.tsx";
import { RunnersView } from "./views/runners.tsx";
import { SignIn } from "./views/sign-in.tsx";
import { WorkspacePage } from "./views/workspace.tsx";
import { WorkspacesView } from "./views/workspaces.tsx";

const REFUSED = "The coordinator no longer accepts the key of this tab. Sign in with a current one.";
/** How long a short message stays on the screen. */
const MESSAGE_MS = 5_000;

export function App(): JSX.Element {
  const [key, setKey] = useState<string | null>(storedKey);
  const [notice, setNotice] = useState<string | null>(null);
  const leave = (why: string | null) => {
    forgetKey();
    setNotice(why);
    setKey(null);
  };
  if (key === null) {
    const enter = (next: string) => {
      rememberKey(next);
      setKey(next);
    };
    return <SignIn notice={notice} onKey={enter} />;
  }
  return <SignedIn key={key} secret={key} onLeave={leave} />;
}

interface SignedInProps {
  readonly secret: string;
  readonly onLeave: (why: string | null) => void;
}

function SignedIn({ secret, onLeave }: SignedInProps): JSX.Element {
  const [message, setMessage] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const session = useMemo<Session>(() => {
    const api = createClient({ key: secret, onRefused: () => onLeave(REFUSED) });
    const announce = (text: string) => {
      setMessage(text);
      if (timer.current !== null) clearTimeout(timer.current);
      timer.current = setTimeout(() => setMessage(""), MESSAGE_MS);
    };
    return { api, operations: createOperations(api), live: createLive(api), announce };
  }, [secret]);
  useEffect(() => () => session.live.close(), [session]);
  return (
    <SessionContext.Provider value={session}>
      <Shell message={message} onSignOut={() => onLeave(null)}>
        <View />
      </Shell>
    </SessionContext.Provider>
  );
}

function View(): JSX.Element {
  const { path } = useStore(place);
  const [section, id, ...more] = segments(path);
  if (more.length > 0) return <NotFound />;
  if (section === undefined) return <JobsView />;
  if (section === "jobs") return id === undefined ? <JobsView /> : <JobPage key={id} id={id} />;
  if (section === "runners") return id === undefined ? <RunnersView /> : <RunnerPage key={id} id={id} />;
  if (section === "workspaces") return id === undefined ? <WorkspacesView /> : <WorkspacePage key={id} name={id} />;
  if (section === "events" && id === undefined) return <EventsView />;
  return <NotFound />;
}
