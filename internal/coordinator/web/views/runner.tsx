import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { RunnerDoc } from "../../../protocol/operator.ts";
import { isVersion } from "../../../protocol/runner-wishes.ts";
import { estate, estateDocs } from "../api/estate.ts";
import { useQuery } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Fact } from "../parts/fact.tsx";
import { Loaded } from "../parts/states.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, navigate, urls } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { CONTACT } from "../status.ts";
import { useTitle } from "../title.ts";
import { type AskedRunner, AskRunner } from "./ask-runner.tsx";
import { Inventory, Session, Slots, Work } from "./runner-parts.tsx";
import { Settings } from "./runner-settings.tsx";
import { StartWays } from "./start-ways.tsx";

/** Everything about one runner: whether it is there, what it is, what it does now. */
export function RunnerPage({ id }: { readonly id: string }): JSX.Element {
  const query = useQuery(estate.runner(id), estateDocs.runner, {
    refreshOn: (event) => event.runner_id === id,
    everyMs: 5_000,
  });
  useTitle(query.data ? `${CONTACT[query.data.contact].label}: ${query.data.name}` : "Runner");
  const [asked, setAsked] = useState<AskedRunner | null>(null);
  const done = (what: AskedRunner["what"]) => (what === "delete" ? navigate(urls.runners) : query.reload());
  return (
    <article class="runner" aria-labelledby="title">
      <p class="crumbs">
        <Link to={urls.runners}>Runners</Link>
      </p>
      {query.data === null && query.error ? <h1 id="title">Runner</h1> : null}
      <Loaded query={query} what="runner">
        {(runner) => (
          <>
            <Head runner={runner} onAsk={(what) => setAsked({ what, runner })} />
            <Contact runner={runner} />
            <OtherVersion runner={runner} />
            <Body runner={runner} />
          </>
        )}
      </Loaded>
      {asked ? <AskRunner asked={asked} onClose={() => setAsked(null)} onDone={done} /> : null}
    </article>
  );
}

interface HeadProps {
  readonly runner: RunnerDoc;
  readonly onAsk: (what: AskedRunner["what"]) => void;
}

function Head({ runner, onAsk }: HeadProps): JSX.Element {
  const canDrain = !runner.draining && runner.session !== null;
  useShortcuts("Runner", canDrain ? [{ key: "d", does: "Drain it", run: () => onAsk("drain") }] : []);
  return (
    <header class="job-head">
      <div class="view-head">
        <div class="job-title">
          <h1 id="title">{runner.name}</h1>
          <span role="status" aria-live="polite">
            <Badge {...CONTACT[runner.contact]} />
            {runner.draining ? <Badge tone="warn" label="draining" /> : null}
          </span>
        </div>
        <div class="actions">
          <button type="button" class="button" disabled={!canDrain} onClick={() => onAsk("drain")}>
            Drain
          </button>
          <button type="button" class="button" onClick={() => onAsk("rotate")}>
            New token
          </button>
          <button type="button" class="button danger-quiet" onClick={() => onAsk("delete")}>
            Delete
          </button>
        </div>
      </div>
      <dl class="fact-line">
        <Fact name="Contact">
          {runner.last_contact_at ? <Ago at={runner.last_contact_at} /> : <span class="faint">never</span>}
        </Fact>
        <Fact name="Created">
          <Ago at={runner.created_at} />
        </Fact>
        <Fact name="Timeline">
          <Link to={urls.events({ subject: runner.id })}>Its events</Link>
        </Fact>
        <Fact name="Id">
          <span class="mono id">{runner.id}</span> <CopyButton text={runner.id} what="id" />
        </Fact>
      </dl>
    </header>
  );
}

/** What its silence means, and what is known all the same. */
function Contact({ runner }: { readonly runner: RunnerDoc }): JSX.Element | null {
  const since = runner.last_contact_at ? <Ago at={runner.last_contact_at} /> : null;
  if (runner.contact === "suspect") {
    return (
      <p class="notice warn">
        <strong>It has been silent for a moment</strong>, heard of last {since}. Its work is still its own; when it
        stays away, its leases run out and its jobs are queued again or parked.
      </p>
    );
  }
  if (runner.contact === "offline") {
    return (
      <p class="notice warn">
        <strong>It is gone.</strong> It was heard of last {since}; what stands below is what it said then. Look at its
        machine: <code>runner doctor</code> there says what is wrong.
      </p>
    );
  }
  if (runner.draining) {
    return (
      <p class="notice warn">
        <strong>It is draining:</strong> it takes no new job, finishes what it has, and then stops.
      </p>
    );
  }
  return null;
}

/** It runs another version than the settings ask for. */
function OtherVersion({ runner }: { readonly runner: RunnerDoc }): JSX.Element | null {
  const { session, expected_version: wanted } = runner;
  if (session === null || isVersion(wanted, session.version)) return null;
  return (
    <p class="notice warn">
      <strong>
        It runs version {session.version}, its settings ask for {wanted}.
      </strong>{" "}
      Install that version on its machine and start it again; its work goes on.
    </p>
  );
}

function Body({ runner }: { readonly runner: RunnerDoc }): JSX.Element {
  const work = useQuery(estate.runnerWork(runner.id), estateDocs.work, {
    refreshOn: (event) => event.runner_id === runner.id,
    everyMs: 5_000,
  });
  const { session } = runner;
  if (session === null) {
    return (
      <>
        <section class="panel-box" aria-labelledby="start">
          <h2 id="start">It has never called. Start it where it shall work</h2>
          <StartWays identity={{ id: runner.id, name: runner.name, token: null }} />
          <p class="help">The token was shown when it was created. When it is lost, make a new one above.</p>
        </section>
        <div class="columns">
          <Settings runner={runner} />
        </div>
      </>
    );
  }
  return (
    <div class="columns">
      <Work runner={runner} query={work} />
      <Slots slots={session.slots} work={work.data ?? []} />
      <Session session={session} />
      <div class="stack">
        <Inventory session={session} labels={runner.labels} />
        <Settings runner={runner} />
      </div>
    </div>
  );
}
