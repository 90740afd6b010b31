import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { RunnerDoc } from "../../../protocol/operator.ts";
import { isVersion } from "../../../protocol/runner-wishes.ts";
import { lists, paths } from "../api/operations.ts";
import { count } from "../format.ts";
import { useQuery, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Filters } from "../parts/filters.tsx";
import { Labels } from "../parts/labels.tsx";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, place, urls, withQuery } from "../router.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { CONTACT } from "../status.ts";
import { useTitle } from "../title.ts";
import { type AskedRunner, AskRunner } from "./ask-runner.tsx";
import { CreateRunner } from "./create-runner.tsx";

/** Filters of the list, in the address as `?contact=`. */
const CONTACTS = [
  { id: "", label: "All", fits: () => true },
  { id: "online", label: "Online", fits: (runner: RunnerDoc) => runner.contact === "online" },
  {
    id: "gone",
    label: "Gone",
    fits: (runner: RunnerDoc) => runner.contact === "offline" || runner.contact === "suspect",
  },
  { id: "never", label: "Never seen", fits: (runner: RunnerDoc) => runner.contact === "never" },
] as const;

export function RunnersView(): JSX.Element {
  useTitle("Runners");
  const query = useQuery(paths.runners, lists.runners, {
    refreshOn: (event) => event.runner_id !== null,
    everyMs: 5_000,
  });
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<AskedRunner | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const { query: address } = useStore(place);
  const [text, contact] = [address.get("q") ?? "", address.get("contact") ?? ""];
  useShortcuts("Runners", [
    { key: "c", does: "Create a runner", run: () => setCreating(true) },
    { key: "/", does: "Search", run: () => search.current?.focus() },
  ]);
  const chosen = CONTACTS.find((one) => one.id === contact) ?? CONTACTS[0];
  const fits = (runner: RunnerDoc) => chosen.fits(runner) && haystack(runner).includes(text.trim().toLowerCase());
  return (
    <section aria-labelledby="title">
      <div class="view-head">
        <h1 id="title">Runners</h1>
        <button type="button" class="button primary" onClick={() => setCreating(true)}>
          Create runner
        </button>
      </div>
      <Loaded query={query} what="runners">
        {(runners) =>
          runners.length === 0 ? (
            <Empty title="No runner yet">
              <p>A runner takes jobs and works on them inside your infrastructure. Create one here, or:</p>
              <Command>runner runners create NAME</Command>
            </Empty>
          ) : (
            <>
              <Filters
                label="Search runners"
                field={search}
                text={text}
                chosen={contact}
                chips={CONTACTS.map(({ id, label, fits: all }) => ({ id, label, count: runners.filter(all).length }))}
                target={(q, id) => withQuery(urls.runners, { q, contact: id })}
              />
              <RunnerTable runners={runners.filter(fits)} onAsk={setAsked} />
            </>
          )
        }
      </Loaded>
      {creating ? (
        <CreateRunner
          onClose={() => {
            setCreating(false);
            query.reload();
          }}
        />
      ) : null}
      {asked ? <AskRunner asked={asked} onClose={() => setAsked(null)} onDone={query.reload} /> : null}
    </section>
  );
}

function haystack(runner: RunnerDoc): string {
  const labels = Object.entries(runner.labels).map(([name, value]) => `${name}=${value}`);
  return [runner.name, runner.id, runner.session?.inventory?.hostname ?? "", ...labels].join("\n").toLowerCase();
}

interface TableProps {
  readonly runners: readonly RunnerDoc[];
  readonly onAsk: (asked: AskedRunner) => void;
}

function RunnerTable({ runners, onAsk }: TableProps): JSX.Element {
  if (runners.length === 0) {
    return (
      <Empty title="No runner fits">
        <p>
          None has this contact and text. <Link to={urls.runners}>Show all runners</Link>
        </p>
      </Empty>
    );
  }
  return (
    <table class="list runners">
      <TableHead columns={["Contact", "Name", "Session", "Host", "Slots"]} withActions />
      <tbody>
        {runners.map((runner) => (
          <RunnerRow key={runner.id} runner={runner} onAsk={onAsk} />
        ))}
      </tbody>
    </table>
  );
}

function RunnerRow({ runner, onAsk }: { readonly runner: RunnerDoc; readonly onAsk: TableProps["onAsk"] }) {
  const { session } = runner;
  return (
    <tr>
      <td class="c-status">
        <Badge {...CONTACT[runner.contact]} />
        {runner.draining ? <Badge tone="warn" label="draining" /> : null}
        <div class="sub">{runner.last_contact_at ? <Ago at={runner.last_contact_at} /> : "no contact yet"}</div>
      </td>
      <td class="c-name">
        <Link to={urls.runner(runner.id)} class="name">
          {runner.name}
        </Link>
        <div class="sub mono">{runner.id}</div>
        <Labels labels={runner.labels} />
      </td>
      <td class="c-session" data-label="Session">
        {session ? (
          <>
            {session.mode} <span class="faint">{session.dialect}</span>
            <div class="sub">
              {session.version}, since <Ago at={session.started_at} />
            </div>
            {isVersion(runner.expected_version, session.version) ? null : (
              <div class="sub waiting">asked for: {runner.expected_version}</div>
            )}
          </>
        ) : (
          <span class="faint">none</span>
        )}
      </td>
      <td class="c-host" data-label="Host">
        {session?.inventory ? (
          <>
            {session.inventory.hostname}
            <div class="sub">
              {session.inventory.os}/{session.inventory.arch}, {count(session.inventory.cpus, "CPU")}
              {session.inventory.gpus.length > 0 ? `, ${count(session.inventory.gpus.length, "GPU")}` : ""}
            </div>
          </>
        ) : (
          <span class="faint">–</span>
        )}
      </td>
      <td class="c-slots" data-label="Slots">
        {session ? <Slots busy={session.busy} slots={session.slots} /> : <span class="faint">–</span>}
      </td>
      <td class="c-actions">
        <button
          type="button"
          class="button small"
          disabled={runner.draining || session === null}
          aria-label={`Drain ${runner.name}`}
          onClick={() => onAsk({ what: "drain", runner })}
        >
          Drain
        </button>
        <button
          type="button"
          class="button small danger-quiet"
          aria-label={`Delete ${runner.name}`}
          onClick={() => onAsk({ what: "delete", runner })}
        >
          Delete
        </button>
      </td>
    </tr>
  );
}

/** Busy slots of all; the page of the runner tells them by group, because there can be a dozen. */
function Slots({ busy, slots }: { readonly busy: number; readonly slots: Readonly<Record<string, number>> }) {
  const open = Object.values(slots).filter((n) => n > 0);
  const total = open.reduce((sum, n) => sum + n, 0);
  return (
    <>
      <span class="number">{busy}</span> busy of <span class="number">{total}</span>
      <div class="sub">in {count(open.length, "group")}</div>
    </>
  );
}
