import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { WorkspaceDoc } from "../../../protocol/operator.ts";
import { estate, estateDocs } from "../api/estate.ts";
import { useQuery, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { DownloadButton } from "../parts/download.tsx";
import { Fact } from "../parts/fact.tsx";
import { Loaded } from "../parts/states.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, navigate, place, urls, withQuery } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { useTitle } from "../title.ts";
import { Resources } from "./resources.tsx";
import { AskUnlock, isLocked, type Locked, LockFacts } from "./unlock.tsx";
import { Drift } from "./workspace-drift.tsx";
import { States } from "./workspace-states.tsx";

/** One Terraform state: what it holds, all its versions, who holds its lock, whether it still is true. */
export function WorkspacePage({ name }: { readonly name: string }): JSX.Element {
  // Locks come and go with terraform itself and are no events: it is read again often.
  const query = useQuery(estate.workspace(name), estateDocs.workspace, { refreshOn: () => true, everyMs: 3_000 });
  useTitle(query.data?.lock ? `Locked: ${name}` : name);
  return (
    <article class="workspace" aria-labelledby="title">
      <p class="crumbs">
        <Link to={urls.workspaces}>Workspaces</Link>
      </p>
      {query.data === null && query.error ? <h1 id="title">{name}</h1> : null}
      <Loaded query={query} what="workspace">
        {(workspace) => <Body workspace={workspace} onChanged={query.reload} />}
      </Loaded>
    </article>
  );
}

interface BodyProps {
  readonly workspace: WorkspaceDoc;
  readonly onChanged: () => void;
}

function Body({ workspace, onChanged }: BodyProps): JSX.Element {
  const { query: address } = useStore(place);
  const shown = address.get("show") === "versions" ? "versions" : "resources";
  const here = urls.workspace(workspace.name);
  const states = useQuery(estate.states(workspace.name), estateDocs.states, { refreshOn: () => true, everyMs: 10_000 });
  useShortcuts("Workspace", [
    { key: "1", does: "Show the resources", run: () => navigate(here) },
    { key: "2", does: "Show the versions", run: () => navigate(withQuery(here, { show: "versions" })) },
  ]);
  const changed = () => {
    onChanged();
    states.reload();
  };
  const current = states.data?.find((one) => one.current);
  return (
    <>
      <Head workspace={workspace} />
      <div class="job-grid">
        <div class="job-main">
          <nav class="tabs" aria-label="Of this workspace">
            <Link to={here} current={shown === "resources"}>
              Resources
            </Link>
            <Link to={withQuery(here, { show: "versions" })} current={shown === "versions"}>
              Versions <span class="chip-count">{workspace.states}</span>
            </Link>
          </nav>
          {shown === "versions" ? (
            <States workspace={workspace} query={states} onChanged={changed} />
          ) : (
            <Resources
              workspace={workspace.name}
              text={address.get("q") ?? ""}
              onText={(q) => navigate(withQuery(here, { q }), { replace: true })}
              isOlder={current !== undefined && current.job_id === null}
            />
          )}
        </div>
        <aside class="job-side" aria-label="Lock and drift">
          <Lock workspace={workspace} onChanged={changed} />
          <Drift workspace={workspace} onChanged={changed} />
        </aside>
      </div>
    </>
  );
}

function Head({ workspace }: { readonly workspace: WorkspaceDoc }): JSX.Element {
  const { name, serial, lineage } = workspace;
  return (
    <header class="job-head">
      <div class="view-head">
        <div class="job-title">
          <h1 id="title">{name}</h1>
          <span role="status" aria-live="polite">
            {workspace.lock ? <Badge tone="warn" label="locked" /> : <Badge tone="idle" label="free" />}
          </span>
        </div>
        {serial === null ? null : (
          <DownloadButton
            path={estate.state(name, serial)}
            file={`${name}.tfstate`}
            label="Download state"
            what={`serial ${serial}`}
          />
        )}
      </div>
      <dl class="fact-line">
        <Fact name="Serial">{serial === null ? <span class="faint">no state yet</span> : serial}</Fact>
        <Fact name="Changed">
          {workspace.updated_at ? <Ago at={workspace.updated_at} /> : <span class="faint">never</span>}
        </Fact>
        {lineage === null ? null : (
          <Fact name="Lineage">
            <span class="mono id">{lineage}</span> <CopyButton text={lineage} what="lineage" />
          </Fact>
        )}
        <Fact name="Jobs">
          <Link to={withQuery(urls.jobs(), { workspace: name })}>Its jobs</Link>
        </Fact>
        <Fact name="Id">
          <span class="mono id">{workspace.id}</span>
        </Fact>
      </dl>
    </header>
  );
}

function Lock({ workspace, onChanged }: BodyProps): JSX.Element {
  // The lock that the person looked at: one that comes meanwhile is not freed, nor asked about by itself.
  const [asked, setAsked] = useState<Locked | null>(null);
  return (
    <section class="side-part" aria-labelledby="lock">
      <h2 id="lock">Lock</h2>
      {isLocked(workspace) ? (
        <>
          <LockFacts lock={workspace.lock} />
          <button type="button" class="button small danger-quiet" onClick={() => setAsked(workspace)}>
            Unlock
          </button>
        </>
      ) : (
        <p class="faint">Free. Terraform locks it while it plans and applies.</p>
      )}
      {asked ? <AskUnlock workspace={asked} onClose={() => setAsked(null)} onDone={onChanged} /> : null}
    </section>
  );
}
