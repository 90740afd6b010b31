import type { JSX } from "preact";
import type { StateDiff as Diff } from "../../../protocol/operator.ts";
import { estate, estateDocs } from "../api/estate.ts";
import { count } from "../format.ts";
import { useQuery } from "../hooks.ts";
import { CopyButton } from "../parts/copy.tsx";
import { Loaded } from "../parts/states.tsx";
import { TableHead } from "../parts/table-head.tsx";
import { StateValue } from "./resources.tsx";

interface StateDiffProps {
  readonly workspace: string;
  readonly from: string;
  readonly to: string;
}

/** What differs between two versions, resource by resource. */
export function StateDiff({ workspace, from, to }: StateDiffProps): JSX.Element {
  // Two versions never change: it is read once, and again only after a cut.
  const query = useQuery(estate.stateDiff(workspace, from, to), estateDocs.stateDiff, {
    refreshOn: () => false,
    everyMs: 600_000,
  });
  return (
    <section class="side-part state-diff" aria-labelledby="difference">
      <Loaded query={query} what="difference">
        {(diff) => (
          <>
            <div class="diff-head">
              <h2 id="difference">
                From serial {diff.from.serial} to serial {diff.to.serial}
              </h2>
              <CopyButton text={diff.text} what="difference" label="Copy" />
            </div>
            <DiffSummary diff={diff} />
            <Resources diff={diff} />
          </>
        )}
      </Loaded>
    </section>
  );
}

/** One line: how much differs; also what a restore is decided by. */
export function DiffSummary({ diff }: { readonly diff: Diff }): JSX.Element {
  const { added, removed, changed, outputs } = diff.summary;
  const parts = [
    added > 0 ? `${count(added, "resource")} added` : null,
    changed > 0 ? `${count(changed, "resource")} changed` : null,
    removed > 0 ? `${count(removed, "resource")} removed` : null,
    outputs > 0 ? `${count(outputs, "output")} different` : null,
  ].filter((part) => part !== null);
  return (
    <p class="diff-summary" role="status">
      {parts.length === 0 ? "Both hold the same resources and outputs." : `${parts.join(", ")}.`}
      {diff.from.lineage === diff.to.lineage ? null : (
        <strong> They are of different lineages: one of them was begun anew.</strong>
      )}
    </p>
  );
}

const SIGN = { added: "+", removed: "−", changed: "~" } as const;

function Resources({ diff }: { readonly diff: Diff }): JSX.Element {
  return (
    <>
      {diff.resources.map(({ address, action, attributes }) => (
        <details key={`${action} ${address}`} class={`resource change-${action}`} open={action === "changed"}>
          <summary>
            <span class="sign" aria-hidden="true">
              {SIGN[action]}
            </span>
            <span class="mono">{address}</span> <span class="faint">{action}</span>
          </summary>
          <Changes changes={attributes.map((one) => ({ ...one, name: one.path }))} />
        </details>
      ))}
      {diff.outputs.length === 0 ? null : (
        <details class="resource change-changed" open>
          <summary>Outputs</summary>
          <Changes changes={diff.outputs} />
        </details>
      )}
    </>
  );
}

type Change = Diff["outputs"][number];

function Changes({ changes }: { readonly changes: readonly Change[] }): JSX.Element {
  return (
    <div class="changes-frame">
      <table class="changes">
        <TableHead columns={["Attribute", "Before", "After"]} />
        <tbody>
          {changes.map((change) => (
            <tr key={change.name}>
              <th scope="row" class="mono">
                {change.name}
              </th>
              <td data-label="Before">
                {change.before === undefined ? <Nothing /> : <StateValue value={change.before} />}
              </td>
              <td data-label="After">
                {change.after === undefined ? <Nothing /> : <StateValue value={change.after} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const Nothing = (): JSX.Element => <span class="faint">–</span>;
