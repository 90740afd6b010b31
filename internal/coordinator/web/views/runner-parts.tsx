import type { JSX } from "preact";
import type { JobDoc, RunnerDoc } from "../../../protocol/operator.ts";
import { bytesWords, count } from "../format.ts";
import type { Query } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Fact } from "../parts/fact.tsx";
import { Labels } from "../parts/labels.tsx";
import { Loaded } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { Ago, Elapsed } from "../parts/time.tsx";
import { Link, urls, withQuery } from "../router.tsx";
import { jobLook } from "../status.ts";

type SessionDoc = NonNullable<RunnerDoc["session"]>;

interface WorkProps {
  readonly runner: RunnerDoc;
  readonly query: Query<JobDoc[]>;
}

/** What it has in its hands. */
export function Work({ runner, query }: WorkProps): JSX.Element {
  return (
    <section class="side-part wide-part" aria-labelledby="work">
      <h2 id="work">
        Running now <Link to={withQuery(urls.jobs(), { runner: runner.id })}>All its jobs</Link>
      </h2>
      <Loaded query={query} what="jobs">
        {(jobs) =>
          jobs.length === 0 ? (
            <p class="faint">Nothing. {runner.contact === "online" ? "It waits for a job." : ""}</p>
          ) : (
            <ul class="work">
              {jobs.map((job) => (
                <li key={job.id}>
                  <Badge {...jobLook(job.status)} />
                  <Link to={urls.job(job.id)} class="name">
                    {job.name || job.id}
                  </Link>
                  <span class="faint">{job.type}</span>
                  <Elapsed from={job.started_at} to={job.finished_at} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  );
}

interface SlotsProps {
  readonly slots: Readonly<Record<string, number>>;
  readonly work: readonly JobDoc[];
}

/** Busy and free by group; groups it does not work at are left out. */
export function Slots({ slots, work }: SlotsProps): JSX.Element {
  const open = Object.entries(slots).filter(([, n]) => n > 0);
  return (
    <section class="side-part" aria-labelledby="slots">
      <h2 id="slots">Slots</h2>
      <table class="slots">
        <TableHead columns={["Group", "Busy", "Free"]} />
        <tbody>
          {open.map(([group, total]) => {
            const busy = work.filter((job) => job.group === group).length;
            return (
              <tr key={group}>
                <th scope="row">{group}</th>
                <td class="number">{busy}</td>
                <td class="number">{Math.max(0, total - busy)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

export function Session({ session }: { readonly session: SessionDoc }): JSX.Element {
  return (
    <section class="side-part" aria-labelledby="session">
      <h2 id="session">Session</h2>
      <dl class="fact-list">
        <Fact name="Version">{session.version}</Fact>
        <Fact name="Mode">{session.mode}</Fact>
        <Fact name="Dialect">{session.dialect}</Fact>
        <Fact name="Started">
          <Ago at={session.started_at} />
        </Fact>
        <Fact name="Instance">
          <span class="mono id">{session.instance_id}</span>{" "}
          <CopyButton text={session.instance_id} what="instance id" />
        </Fact>
      </dl>
    </section>
  );
}

interface InventoryProps {
  readonly session: SessionDoc;
  /** Labels that it was created with; those of the machine come from the inventory. */
  readonly labels: Readonly<Record<string, string>>;
}

export function Inventory({ session, labels }: InventoryProps): JSX.Element {
  const { inventory, gpus_in_use: inUse } = session;
  return (
    <section class="side-part" aria-labelledby="inventory">
      <h2 id="inventory">Machine</h2>
      {inventory === null ? (
        <p class="faint">It did not say. Runners that speak the nuon dialect do not.</p>
      ) : (
        <dl class="fact-list">
          <Fact name="Host">{inventory.hostname}</Fact>
          <Fact name="System">
            {inventory.os}/{inventory.arch}
          </Fact>
          <Fact name="CPUs">{inventory.cpus}</Fact>
          <Fact name="Memory">{bytesWords(inventory.memory_bytes)}</Fact>
          <Fact name="GPUs">
            <Gpus gpus={inventory.gpus} inUse={inUse} />
          </Fact>
        </dl>
      )}
      <Labels labels={{ ...inventory?.labels, ...labels }} />
    </section>
  );
}

interface GpusProps {
  readonly gpus: NonNullable<SessionDoc["inventory"]>["gpus"];
  readonly inUse: SessionDoc["gpus_in_use"];
}

function Gpus({ gpus, inUse }: GpusProps): JSX.Element {
  if (gpus.length === 0) return <span class="faint">none</span>;
  return (
    <details class="gpus">
      <summary>
        {count(gpus.length, "GPU")}, {inUse.length} in use
      </summary>
      <ul>
        {gpus.map((gpu) => (
          <li key={gpu.uuid}>
            {gpu.vendor} {gpu.model}, {bytesWords(gpu.memory_bytes)}
            {inUse.includes(gpu.uuid) ? ", in use" : ""}
            <div class="sub mono">{gpu.uuid}</div>
          </li>
        ))}
      </ul>
    </details>
  );
}
