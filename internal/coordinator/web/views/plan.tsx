import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { paths } from "../api/operations.ts";
import { count } from "../format.ts";
import { CopyButton } from "../parts/copy.tsx";
import { DownloadButton } from "../parts/download.tsx";
import { useShortcuts } from "../shortcuts.ts";
import { Diff, DiffLines } from "./diff.tsx";
import { ACTION_WORDS, countPlan, type PlanAction, type PlanBlock, type PlanText, parsePlan } from "./plan-text.ts";

interface PlanProps {
  /** Job or change that the plan is of. */
  readonly id: string;
  readonly text: string;
}

/** Resources are unfolded at first when there are no more of them than this. */
const UNFOLDED = 12;
/** Resources listed; the others on request. */
const LISTED = 200;

/** A plan for people: how much of what, then resource by resource. */
export function Plan({ id, text }: PlanProps): JSX.Element {
  const plan = useMemo(() => parsePlan(text), [text]);
  return (
    <section class="plan" aria-label="Plan">
      {plan === null ? null : <Resources plan={plan} />}
      {plan === null ? <Diff text={text} /> : null}
      {plan === null || plan.rest.join("") === "" ? null : <DiffLines lines={plan.rest} />}
      <div class="plan-tools">
        <CopyButton text={text} what="plan" label="Copy text" />
        <DownloadButton path={paths.plan(id)} file={`${id}.plan.json`} what="the plan as JSON" label="Download JSON" />
        <span class="quiet">Sensitive values are hidden in both.</span>
      </div>
    </section>
  );
}

function Resources({ plan }: { readonly plan: PlanText }): JSX.Element {
  const { blocks } = plan;
  const [only, setOnly] = useState<PlanAction | null>(null);
  const [wanted, setWanted] = useState("");
  const [all, setAll] = useState(false);
  // What was turned by hand is turned from the state that holds for all.
  const [open, setOpen] = useState(blocks.length <= UNFOLDED);
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const setEvery = (next: boolean) => {
    setOpen(next);
    setTurned(new Set());
  };
  const turn = (key: string) => {
    const next = new Set(turned);
    if (!next.delete(key)) next.add(key);
    setTurned(next);
  };
  useShortcuts("Plan", [{ key: "e", does: "Unfold or fold all resources", run: () => setEvery(!open) }]);
  const fitting = blocks.filter(
    (block) => (only === null || block.action === only) && block.address.toLowerCase().includes(wanted.toLowerCase()),
  );
  const shown = all ? fitting : fitting.slice(0, LISTED);
  return (
    <>
      <Summary blocks={blocks} only={only} onOnly={setOnly} />
      <div class="plan-head">
        {blocks.length > UNFOLDED ? (
          <input
            type="search"
            aria-label="Find a resource"
            placeholder="Find a resource"
            value={wanted}
            onInput={(event) => setWanted(event.currentTarget.value)}
          />
        ) : null}
        <span class="quiet">{count(fitting.length, "resource")}</span>
        <button type="button" class="button small" onClick={() => setEvery(!open)}>
          {open ? "Fold all" : "Unfold all"}
        </button>
      </div>
      <div class="plan-blocks">
        {shown.map((block) => {
          const key = `${block.address} ${block.sentence}`;
          return <Resource key={key} block={block} open={open !== turned.has(key)} onTurn={() => turn(key)} />;
        })}
      </div>
      {shown.length < fitting.length ? (
        <button type="button" class="button small" onClick={() => setAll(true)}>
          Show {count(fitting.length - shown.length, "more resource")}
        </button>
      ) : null}
    </>
  );
}

interface SummaryProps {
  readonly blocks: readonly PlanBlock[];
  readonly only: PlanAction | null;
  readonly onOnly: (action: PlanAction | null) => void;
}

const TILES: readonly PlanAction[] = ["create", "update", "replace", "delete", "other"];

/** How many of each kind; a press shows only those. */
function Summary({ blocks, only, onOnly }: SummaryProps): JSX.Element {
  const counts = countPlan(blocks);
  return (
    <div class="plan-summary">
      {TILES.filter((action) => action !== "other" || counts.other > 0).map((action) => (
        <button
          key={action}
          type="button"
          class={`plan-tile plan-${action}`}
          aria-pressed={only === action}
          disabled={counts[action] === 0}
          onClick={() => onOnly(only === action ? null : action)}
        >
          <span class="plan-count">
            <span aria-hidden="true">{ACTION_WORDS[action].sign}</span>
            {counts[action].toLocaleString("en")}
          </span>
          {ACTION_WORDS[action].noun}
        </button>
      ))}
    </div>
  );
}

interface ResourceProps {
  readonly block: PlanBlock;
  readonly open: boolean;
  readonly onTurn: () => void;
}

function Resource({ block, open, onTurn }: ResourceProps): JSX.Element {
  return (
    <div class={`plan-block plan-${block.action}`}>
      <button type="button" class="plan-line" aria-expanded={open} onClick={onTurn}>
        <span class="plan-turn" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        <span class="plan-sign" aria-hidden="true">
          {ACTION_WORDS[block.action].sign}
        </span>
        <span class="plan-address">{block.address}</span>
        <span class="plan-sentence">{block.sentence}</span>
      </button>
      {open ? <DiffLines lines={block.lines} /> : null}
    </div>
  );
}
