import { join } from "node:path";
import type { Bed } from "../lib/processes.ts";

/** The smallest compiled Bun program, built like ours. Answers its path. */
export async function compileHello(bed: Bed): Promise<string> {
  const out = bed.path("hello");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm", `--outfile=${out}`];
  const argv = [process.execPath, "build", ...flags, join(import.meta.dir, "hello.ts")];
  const build = Bun.spawn(argv, { stdout: "ignore", stderr: "pipe" });
  if ((await build.exited) !== 0) throw new Error(`hello was not built: ${await new Response(build.stderr).text()}`);
  return out;
}
