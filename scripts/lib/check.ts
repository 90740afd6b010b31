import { BUN, program, run } from "./spawn.ts";

/** Every check of the tree, all of them even when one fails. */
const CHECKS: readonly (readonly [string, readonly string[]])[] = [
  ["format, lint and arrows", [...program("biome"), "check", "--error-on-warnings", "."]],
  ["types", [...program("tsc"), "--noEmit"]],
  ["dead code", program("knip")],
  ["generated files in step", [BUN, "scripts/generate.ts", "--check"]],
];

export async function check(): Promise<number> {
  const failed: string[] = [];
  for (const [name, argv] of CHECKS) {
    console.log(`— ${name}`);
    if ((await run(argv)) !== 0) failed.push(name);
  }
  console.log(failed.length === 0 ? "all checks passed" : `failed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}
