import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Result } from "../../../protocol/errors.ts";
import type { RunnerDoc } from "../../../protocol/operator.ts";
import { lists, paths } from "../api/operations.ts";
import { useSession } from "../context.ts";
import { count } from "../format.ts";
import { useQuery } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Command, Empty, Loaded } from "../parts/states.tsx";
import { Ago } from "../parts/time.tsx";
import { CONTACT } from "../status.ts";
import { useTitle } from "../title.ts";
import { CreateRunner } from "./create-runner.tsx";

type Asked = { readonly what: "drain" | "delete"; readonly runner: RunnerDoc };

export function RunnersView(): JSX.Element {
  useTitle("Runners");
  const query = useQuery(paths.runners, lists.runners, {
    refreshOn: (event) => event.runner_id !== null,
    everyMs: 5_000,
  });
  const [creating, setCreating] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
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
            <RunnerTable runners={runners} onAsk={setAsked} />
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

interface TableProps {
  readonly runners: readonly RunnerDoc[];
  readonly onAsk: (asked: Asked) => void;
}

function RunnerTable({ runners, onAsk }: TableProps): JSX.Element {
  return (
    <table class="list runners">
      <thead>
        <tr>
          <th scope="col">Contact</th>
          <th scope="col">Name</th>
          <th scope="col">Session</th>
          <th scope="col">Host</th>
          <th scope="col">Slots</th>
          <th scope="col">
            <span class="hidden">Actions</span>
          </th>
        </tr>
      </thead>
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
        <span class="name">{runner.name}</span>
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

function Labels({ labels }: { readonly labels: Readonly<Record<string, string>> }): JSX.Element | null {
  const entries = Object.entries(labels);
  if (entries.length === 0) return null;
  return (
    <ul class="labels" aria-label="Labels">
      {entries.map(([name, value]) => (
        <li key={name}>
          {name}={value}
        </li>
      ))}
    </ul>
  );
}

/** Busy slots of all; the groups on hover, because there can be a dozen of them. */
function Slots({ busy, slots }: { readonly busy: number; readonly slots: Readonly<Record<string, number>> }) {
  const open = Object.entries(slots).filter(([, n]) => n > 0);
  const total = open.reduce((sum, [, n]) => sum + n, 0);
  return (
    <span title={open.map(([group, n]) => `${group}: ${n}`).join("\n")}>
      <span class="number">{busy}</span> busy of <span class="number">{total}</span>
      <div class="sub">in {count(open.length, "group")}</div>
    </span>
  );
}

interface AskProps {
  readonly asked: Asked;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function AskRunner({ asked, onClose, onDone }: AskProps): JSX.Element {
  const { operations, announce } = useSession();
  const { runner } = asked;
  const run = async (work: Promise<Result<unknown>>, done: string) => {
    const answer = await work;
    if (answer.ok) {
      announce(done);
      onDone();
    }
    return answer;
  };
  if (asked.what === "drain") {
    return (
      <Confirm
        title={`Drain ${runner.name}?`}
        action="Drain"
        tone="primary"
        onConfirm={() => run(operations.drainRunner(runner.id), `${runner.name} is draining.`)}
        onClose={onClose}
      >
        <p>It takes no new jobs, finishes what runs, and then stops.</p>
      </Confirm>
    );
  }
  return (
    <Confirm
      title={`Delete ${runner.name}?`}
      action="Delete"
      tone="danger"
      onConfirm={() => run(operations.deleteRunner(runner.id), `${runner.name} is deleted.`)}
      onClose={onClose}
    >
      <p>Its token stops working at once. Jobs and logs stay.</p>
      {runner.session && runner.session.busy > 0 ? (
        <p>
          <strong>It is working on {count(runner.session.busy, "job")} right now.</strong> Drain it first to let them
          finish.
        </p>
      ) : null}
    </Confirm>
  );
}
