import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { StateDoc, WorkspaceDoc } from "../../../protocol/operator.ts";
import { estate } from "../api/estate.ts";
import { bytesWords } from "../format.ts";
import { type Query, useStore } from "../hooks.ts";
import { Badge } from "../parts/badge.tsx";
import { DownloadButton } from "../parts/download.tsx";
import { Loaded } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { Ago } from "../parts/time.tsx";
import { Link, navigate, place, urls, withQuery } from "../router.tsx";
import { AskRestore } from "./restore.tsx";
import { StateDiff } from "./state-diff.tsx";

interface StatesProps {
  readonly workspace: WorkspaceDoc;
  readonly query: Query<StateDoc[]>;
  readonly onChanged: () => void;
}

/** Every version of the state: compare two, take one as a file, restore one. What is compared stands in the address. */
export function States({ workspace, query, onChanged }: StatesProps): JSX.Element {
  const [asked, setAsked] = useState<StateDoc | null>(null);
  return (
    <Loaded query={query} what="versions">
      {(versions) =>
        versions.length === 0 ? (
          <p class="empty">There is no state yet: the first apply writes one.</p>
        ) : (
          <>
            <Compare workspace={workspace} versions={versions} />
            <VersionTable workspace={workspace} versions={versions} onRestore={setAsked} />
            {asked ? (
              <AskRestore workspace={workspace} version={asked} onClose={() => setAsked(null)} onDone={onChanged} />
            ) : null}
          </>
        )
      }
    </Loaded>
  );
}

interface CompareProps {
  readonly workspace: WorkspaceDoc;
  readonly versions: readonly StateDoc[];
}

function Compare({ workspace, versions }: CompareProps): JSX.Element | null {
  const { query } = useStore(place);
  const [from, to] = [query.get("from") ?? "", query.get("to") ?? ""];
  if (versions.length < 2) return null;
  const [newest, second] = [String(versions[0]?.serial), String(versions[1]?.serial)];
  const choose = (next: { readonly from?: string; readonly to?: string }) =>
    navigate(compareUrl(workspace.name, next.from ?? (from || second), next.to ?? (to || newest)));
  const isChosen = from !== "" && to !== "";
  return (
    <>
      <div class="compare">
        <Serial
          label="Compare serial"
          value={from || second}
          versions={versions}
          onChoose={(one) => choose({ from: one })}
        />
        <Serial label="with serial" value={to || newest} versions={versions} onChoose={(one) => choose({ to: one })} />
        {isChosen ? (
          <Link to={withQuery(urls.workspace(workspace.name), { show: "versions" })}>Close the comparison</Link>
        ) : (
          <button type="button" class="button" onClick={() => choose({})}>
            Compare
          </button>
        )}
      </div>
      {isChosen ? <StateDiff workspace={workspace.name} from={from} to={to} /> : null}
    </>
  );
}

const compareUrl = (name: string, from: string, to: string) =>
  withQuery(urls.workspace(name), { show: "versions", from, to });

interface SerialProps {
  readonly label: string;
  readonly value: string;
  readonly versions: readonly StateDoc[];
  readonly onChoose: (serial: string) => void;
}

function Serial({ label, value, versions, onChoose }: SerialProps): JSX.Element {
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {versions.map(({ id, serial, current }) => (
          <option key={id} value={String(serial)}>
            {serial}
            {current ? " (current)" : ""}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TableProps extends CompareProps {
  readonly onRestore: (version: StateDoc) => void;
}

function VersionTable({ workspace, versions, onRestore }: TableProps): JSX.Element {
  return (
    <table class="list versions">
      <TableHead columns={["Serial", "Written", "By", "Size"]} withActions />
      <tbody>
        {versions.map((version, index) => (
          <tr key={version.id}>
            <td class="c-status">
              <span class="number name">{version.serial}</span>{" "}
              {version.current ? <Badge tone="ok" label="current" /> : null}
            </td>
            <td data-label="Written">
              <Ago at={version.created_at} />
              <div class="sub mono" title={`SHA-256 ${version.sha256}`}>
                {version.sha256.slice(0, 12)}
              </div>
            </td>
            <td data-label="By">
              <Writer version={version} />
            </td>
            <td data-label="Size" class="number">
              {bytesWords(version.bytes)}
            </td>
            <td class="c-actions">
              <Actions
                workspace={workspace}
                version={version}
                previous={versions[index + 1] ?? null}
                onRestore={onRestore}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Writer({ version }: { readonly version: StateDoc }): JSX.Element {
  return (
    <>
      {version.job_id ? <Link to={urls.job(version.job_id)}>a job</Link> : version.by.replace(/^runner:.*/, "a runner")}
      {version.restored_from === null ? null : <> restored serial {version.restored_from}</>}
      {version.why === "" ? null : <div class="sub">{version.why}</div>}
    </>
  );
}

interface ActionsProps {
  readonly workspace: WorkspaceDoc;
  readonly version: StateDoc;
  readonly previous: StateDoc | null;
  readonly onRestore: (version: StateDoc) => void;
}

function Actions({ workspace, version, previous, onRestore }: ActionsProps): JSX.Element {
  const { name } = workspace;
  return (
    <>
      {previous === null ? null : (
        <Link to={compareUrl(name, String(previous.serial), String(version.serial))} class="button small">
          What changed<span class="hidden"> in serial {version.serial}</span>
        </Link>
      )}
      <DownloadButton
        path={estate.state(name, version.serial)}
        file={`${name}-${version.serial}.tfstate`}
        what={`serial ${version.serial}`}
      />
      {version.current ? null : (
        <button
          type="button"
          class="button small danger-quiet"
          aria-label={`Restore serial ${version.serial}`}
          onClick={() => onRestore(version)}
        >
          Restore
        </button>
      )}
    </>
  );
}
