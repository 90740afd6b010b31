import type { JSX, RefObject } from "preact";
import { useId } from "preact/hooks";
import { Link, navigate } from "../router.tsx";

interface Chip {
  readonly id: string;
  readonly label: string;
  readonly count: number;
}

interface FiltersProps {
  /** What the field searches, for its label and its placeholder. */
  readonly label: string;
  readonly field: RefObject<HTMLInputElement | null>;
  readonly text: string;
  readonly chips: readonly Chip[];
  readonly chosen: string;
  /** Address of the list with this text and this chip. */
  readonly target: (text: string, chip: string) => string;
}

/** One row above a list: chips to choose from and a field to search with. Both stand in the address. */
export function Filters({ label, field, text, chips, chosen, target }: FiltersProps): JSX.Element {
  const id = useId();
  return (
    <div class="filters">
      <nav class="chips" aria-label="Filter">
        {chips.map((chip) => (
          <Link key={chip.id} to={target(text, chip.id)} current={chip.id === chosen}>
            {chip.label} <span class="chip-count">{chip.count}</span>
          </Link>
        ))}
      </nav>
      <div class="search">
        <label for={id} class="hidden">
          {label}
        </label>
        <input
          id={id}
          ref={field}
          type="search"
          placeholder={label}
          value={text}
          onInput={(event) => navigate(target(event.currentTarget.value, chosen), { replace: true })}
        />
      </div>
    </div>
  );
}
