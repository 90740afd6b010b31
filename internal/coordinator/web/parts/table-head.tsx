import type { JSX } from "preact";

interface TableHeadProps {
  readonly columns: readonly string[];
  /** One more column, of buttons: its name is for screen readers only. */
  readonly withActions?: boolean;
}

export function TableHead({ columns, withActions = false }: TableHeadProps): JSX.Element {
  return (
    <thead>
      <tr>
        {columns.map((column) => (
          <th key={column} scope="col">
            {column}
          </th>
        ))}
        {withActions ? (
          <th scope="col">
            <span class="hidden">Actions</span>
          </th>
        ) : null}
      </tr>
    </thead>
  );
}
