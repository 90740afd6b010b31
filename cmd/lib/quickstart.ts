import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import hello from "../../examples/quickstart/hello.yaml" with { type: "text" };
import module from "../../examples/quickstart/module/main.tf" with { type: "text" };
import network from "../../examples/quickstart/network.yaml" with { type: "text" };

/** The quickstart as it stands in examples/quickstart, which the binary carries. */
const FILES: Readonly<Record<string, string>> = {
  "hello.yaml": hello,
  "network.yaml": network,
  "module/main.tf": module,
};

/** Paths of its job files, in the order in which they are run. */
export interface Quickstart {
  readonly action: string;
  /** Needs terraform. */
  readonly terraform: string;
}

/** Writes the quickstart into `folder` (made when missing). */
export function writeQuickstart(folder: string): Quickstart {
  mkdirSync(join(folder, "module"), { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  return { action: join(folder, "hello.yaml"), terraform: join(folder, "network.yaml") };
}
