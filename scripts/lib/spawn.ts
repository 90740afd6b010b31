/** The root of the checkout, with a slash at its end. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** Bun itself: `npx bun@…` runs us, so nothing has to be on PATH. */
export const BUN = process.execPath;

/** Runs a program on our terminal. Returns its exit code; a signal is passed on and counts as 128 + its number. */
export async function run(argv: readonly string[], env: Record<string, string> = {}): Promise<number> {
  const child = Bun.spawn([...argv], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["inherit", "inherit", "inherit"],
  });
  // A terminal sends SIGINT to the child too; only SIGTERM, which a supervisor sends to us alone, is passed on.
  const ignore = () => {};
  const pass = () => child.kill("SIGTERM");
  process.on("SIGINT", ignore).on("SIGTERM", pass);
  try {
    return await child.exited;
  } finally {
    process.off("SIGINT", ignore).off("SIGTERM", pass);
  }
}

/** Output of a program, or null when it fails or does not exist. */
export function textOf(argv: readonly string[]): string | null {
  try {
    const done = Bun.spawnSync([...argv], { cwd: ROOT, stderr: "ignore" });
    return done.success ? done.stdout.toString().trim() : null;
  } catch {
    return null;
  }
}

/** Path of a package's program, run with bun so that no `node` is needed. */
export function program(name: string): string[] {
  return [BUN, "x", "--no-install", name];
}
