import type { JSX } from "preact";

/** Labels as small tags; nothing without any. */
export function Labels({ labels }: { readonly labels: Readonly<Record<string, string>> }): JSX.Element | null {
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
