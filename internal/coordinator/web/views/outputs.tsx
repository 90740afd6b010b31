import type { JSX } from "preact";
import { CopyButton } from "../parts/copy.tsx";

const REDACTED = "[redacted]";

interface OutputsProps {
  readonly outputs: Readonly<Record<string, unknown>> | null;
}

export function Outputs({ outputs }: OutputsProps): JSX.Element | null {
  const entries = Object.entries(outputs ?? {});
  if (entries.length === 0) return null;
  return (
    <section class="side-part" aria-labelledby="outputs">
      <h2 id="outputs">Outputs</h2>
      <table class="outputs">
        <tbody>
          {entries.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <Value name={name} value={value} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Value({ name, value }: { readonly name: string; readonly value: unknown }): JSX.Element {
  if (value === REDACTED) {
    return (
      <span class="redacted" title="This output is sensitive. It is in clear only in the file that --outputs writes.">
        {REDACTED}
      </span>
    );
  }
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <div class="value">
      <pre>{text}</pre>
      <CopyButton text={text} what={`output ${name}`} />
    </div>
  );
}
