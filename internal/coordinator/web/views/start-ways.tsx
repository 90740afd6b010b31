import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { CopyButton } from "../parts/copy.tsx";
import type { Identity } from "./runner-token.tsx";
import { type Way, waysToStart } from "./ways-to-start.ts";

/** Command lines for each way to run it, ready to be pasted. */
export function StartWays({ identity }: { readonly identity: Identity }): JSX.Element {
  const ways = waysToStart(location.origin, identity);
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = (chosen + step + ways.length) % ways.length;
    setChosen(next);
    document.getElementById(`${id}-tab-${next}`)?.focus();
  };
  const way = ways[chosen];
  return (
    <div class="ways">
      <div class="tabs" role="tablist" aria-label="How to start it" onKeyDown={move}>
        {ways.map((one, index) => (
          <button
            key={one.title}
            id={`${id}-tab-${index}`}
            type="button"
            role="tab"
            aria-selected={index === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => setChosen(index)}
          >
            {one.title}
          </button>
        ))}
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-tab-${chosen}`}>
        {way ? <Panel way={way} /> : null}
      </div>
    </div>
  );
}

function Panel({ way }: { readonly way: Way }): JSX.Element {
  return (
    <>
      <p class="help">{way.note}</p>
      <div class="command-box">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable with the keyboard */}
        <pre class="command" tabIndex={0}>
          <code>{way.command}</code>
        </pre>
        <CopyButton text={way.command} what="commands" />
      </div>
    </>
  );
}
