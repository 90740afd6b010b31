import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ROOT } from "./spawn.ts";

/** Milliseconds of the test files that take long, in the form of bun's `--timings`; `npm test -- --record` writes it. */
const RECORD = join(ROOT, "test/times.json");

/** What takes less stands in no record: a new file need not be entered, and a record stays short. */
const LONG_MS = 5000;
/** Of a file without a record. Bun would take the median of the slow ones, and start all those files first. */
const SHORT_MS = 500;

const Times = z.object({ version: z.literal(1), files: z.record(z.string(), z.number()) });

/** Writes what bun is to know of every one of `files` (paths from the root): it starts the slowest first. */
export function writeTimes(target: string, files: readonly string[], record = RECORD): void {
  const recorded = readTimes(record);
  write(target, Object.fromEntries(files.map((file) => [file, recorded[file] ?? SHORT_MS])));
}

/** Keeps what a whole run measured, which bun has written to `measured`. */
export function recordTimes(measured: string, record = RECORD): void {
  const long = Object.entries(readTimes(measured)).filter(([, ms]) => ms >= LONG_MS);
  const rounded = long.map(([file, ms]): [string, number] => [file, Math.round(ms / 1000) * 1000]);
  rounded.sort(([a, one], [b, two]) => two - one || (a < b ? -1 : 1));
  write(record, Object.fromEntries(rounded));
}

/** Test files below the folders, as paths from the root. */
export function testFiles(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) =>
    existsSync(join(ROOT, folder))
      ? readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
          .filter((name) => /\.test\.tsx?$/.test(name))
          .map((name) => join(folder, name))
      : [],
  );
}

const readTimes = (file: string) => Times.parse(JSON.parse(readFileSync(file, "utf8"))).files;

const write = (file: string, files: Readonly<Record<string, number>>) =>
  writeFileSync(file, `${JSON.stringify({ version: 1, files }, null, 2)}\n`);
