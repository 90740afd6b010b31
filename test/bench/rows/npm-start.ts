import { type Bed, makeBed } from "../lib/processes.ts";
import { atMost, type Row } from "../lib/row.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
/** Every first start downloads Bun and all packages: the registry is not ours to wear out. */
const MOST_FIRST_STARTS = 3;
const COMMAND = ["npm", "start", "--", "--once"];

/** What a person who has just cloned the repository waits for. */
export const npmStart: Row = {
  name: "npm-start",
  why: "A first start downloads Bun (over 30 MB packed) and the packages and builds the binary; the floor is the download alone.",
  async measure({ runs, say }) {
    const bed = makeBed();
    try {
      const first: number[] = [];
      const bareFirst: number[] = [];
      for (let run = 0; run < Math.min(runs, MOST_FIRST_STARTS); run++) {
        bareFirst.push(
          (await inClone(bed, `bare-${run}`, ["npx", "--yes", "bun@1.4.5", "install", "--frozen-lockfile"])).total,
        );
        first.push((await inClone(bed, `clone-${run}`, COMMAND)).total);
        say(`npm-start: first start ${first.at(-1)?.toFixed(1)} s, bare download ${bareFirst.at(-1)?.toFixed(1)} s`);
      }
      const later: number[] = [];
      const bareLater: number[] = [];
      for (let run = 0; run < runs; run++) {
        bareLater.push((await inFolder(bed, "clone-0", ["npx", "--yes", "bun@1.4.5", "-e", ""])).total);
        later.push((await inFolder(bed, "clone-0", COMMAND)).firstResult);
      }
      return [
        {
          what: "first `npm start -- --once`",
          unit: "s",
          values: first,
          floor: { what: "`npx bun@1.4.5 install` in another fresh clone, its caches empty too", values: bareFirst },
          goals: [atMost("every run ≤ 60 s", 1, 60)],
          how: "in a fresh clone with empty npm, Bun and tool caches, from spawn to exit: set-up, build, action and terraform change. Few runs, because each downloads everything.",
        },
        {
          what: "later `npm start`, first result",
          unit: "s",
          values: later,
          floor: { what: "`npx bun@1.4.5` that runs nothing", values: bareLater },
          goals: [atMost("median ≤ 5 s", "median", 5)],
          how: "the same again in the same clone, from spawn until the result of the first job is printed.",
        },
      ];
    } finally {
      await bed.end();
    }
  },
};

async function inClone(bed: Bed, name: string, argv: readonly string[]): Promise<Took> {
  const clone = Bun.spawn(["git", "clone", "-q", ROOT, bed.path(name)], { stdout: "ignore", stderr: "inherit" });
  if ((await clone.exited) !== 0) throw new Error("git clone failed");
  return inFolder(bed, name, argv);
}

interface Took {
  /** Seconds. */
  readonly total: number;
  readonly firstResult: number;
}

/** Each folder has caches of its own, so that a fresh one begins with nothing. */
async function inFolder(bed: Bed, name: string, argv: readonly string[]): Promise<Took> {
  const cache = bed.path(`${name}-cache`);
  const env = {
    ...process.env,
    npm_config_cache: `${cache}/npm`,
    BUN_INSTALL_CACHE_DIR: `${cache}/bun`,
    XDG_CACHE_HOME: `${cache}/xdg`,
    TMPDIR: bed.root,
  };
  const began = performance.now();
  const child = Bun.spawn([...argv], { cwd: bed.path(name), env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let text = "";
  let firstResult = Number.NaN;
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      if (Number.isNaN(firstResult) && RESULT.test(text)) firstResult = seconds(began);
    }
  };
  await Promise.all([read(child.stdout), read(child.stderr)]);
  if ((await child.exited) !== 0) throw new Error(`${argv.join(" ")} failed:\n${text}`);
  const total = seconds(began);
  return { total, firstResult };
}

/** The line that ends the first job. */
const RESULT = /finished/;
const seconds = (since: number) => (performance.now() - since) / 1_000;
