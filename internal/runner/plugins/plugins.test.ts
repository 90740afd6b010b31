import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { handler } from "../../../examples/handlers/disk-report.ts";
import { loadPlugins, pluginHandlers } from "./load-plugins.ts";
import type { Plugin } from "./plugin-api.ts";

const UID = process.getuid?.() ?? 0;
let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plugins-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const greet = (type = "x-greet") => `
import type { Plugin } from "./handler.d.ts";
export const handler: Plugin<{ name: string }> = ({ z }) => ({
  types: ["${type}"],
  plan: z.strictObject({ name: z.string() }),
  async execute() {},
});
`;
const put = (name: string, text: string, mode = 0o644) => {
  writeFileSync(at(name), text);
  chmodSync(at(name), mode);
};
const load = () => loadPlugins(folder, UID, 200);

test("the example, written against the published handler.d.ts, is what the loader takes", async () => {
  const written: Plugin<{ readonly folders: readonly string[]; readonly fail_above_percent: number }> = handler;
  put("disk-report.ts", await Bun.file(`${import.meta.dir}/../../../examples/handlers/disk-report.ts`).text());
  const { loaded } = await load();
  expect(loaded.map(({ types, summary }) => [types, summary])).toEqual([
    [["x-disk-report"], "how full the disks of the runner's machine are"],
  ]);
  expect(written).toBeFunction();
});

test("every .ts of the folder is a plug-in, and nothing else in it is", async () => {
  put("greet.ts", greet());
  put("wave.ts", greet("x-wave"));
  put("handler.d.ts", "export type Plugin<T> = unknown;");
  put("README.md", "none");
  const { loaded, refused } = await load();
  expect(refused).toEqual([]);
  expect(loaded.map(({ types }) => types)).toEqual([["x-greet"], ["x-wave"]]);
  expect(Object.keys(pluginHandlers({ loaded, refused }))).toEqual(["x-greet", "x-wave"]);
});

const BAD: readonly (readonly [string, string, string])[] = [
  ["exports no handler", "export const x = 1;", "does not export a function `handler`"],
  ["is not TypeScript", "export const handler = () => { return {{{ ;", "line 1: "],
  ["throws when it is loaded", "throw new Error('no licence');", "no licence"],
  ["throws when it is made", "export const handler = () => { throw new Error('no key'); };", "no key"],
  [
    "imports a package",
    'import pad from "left-pad-of-nobody"; export const handler = () => pad;',
    "imports left-pad-of-nobody",
  ],
  ["never ends to load", "await new Promise(() => {}); export const handler = 1;", "did not load within 0.2 s"],
  ["has a type of the protocol", greet("noop").replace("x-noop", "noop"), "types[0]"],
  ["has no execute", greet().replace("async execute() {},", ""), "execute"],
  ["has a misspelt step", greet().replace("execute", "excute"), 'unknown key "excute"'],
  [
    "has a plan that is no schema",
    greet().replace("z.strictObject({ name: z.string() })", "{}"),
    "a schema made with the given z",
  ],
];
describe("a plug-in that is refused does not stop the others:", () => {
  test.each(BAD)("one that %s", async (_, text, said) => {
    put("a-bad.ts", text);
    put("b-good.ts", greet());
    const { loaded, refused } = await load();
    expect(loaded.map(({ file }) => file)).toEqual([at("b-good.ts")]);
    expect(refused.map(({ file }) => file)).toEqual([at("a-bad.ts")]);
    expect(refused[0]?.reason).toContain(said);
    expect(refused[0]?.remedy).not.toBe("");
  });

  test("a second one of the same type, by the first one's name", async () => {
    put("a.ts", greet());
    put("b.ts", greet());
    const { loaded, refused } = await load();
    expect(loaded.map(({ file }) => file)).toEqual([at("a.ts")]);
    expect(refused[0]?.reason).toBe(`job type x-greet is that of ${at("a.ts")} already`);
  });

  test("one that others can write", async () => {
    put("a.ts", greet(), 0o666);
    put("b.ts", greet("x-wave"));
    const { loaded, refused } = await load();
    expect(loaded.map(({ file }) => file)).toEqual([at("b.ts")]);
    expect(refused[0]?.reason).toStartWith(`${at("a.ts")} can be written by others (mode 0666)`);
  });

  test("one that belongs to another user", async () => {
    put("a.ts", greet());
    const { loaded, refused } = await loadPlugins(folder, UID + 1);
    if (UID === 0) {
      // Only root may give a file away.
      chownSync(at("a.ts"), 4321, 4321);
      expect((await load()).refused[0]?.reason).toContain("belongs to another user (uid 4321)");
      expect(loaded).toHaveLength(1); // what root has made may be used by anybody
    } else {
      expect(loaded).toEqual([]);
      expect(refused[0]?.reason).toContain("belongs to another user");
    }
  });
});

describe("a folder", () => {
  test("that its group can write is refused as a whole, also when it lies above", async () => {
    mkdirSync(at("open/inner"), { recursive: true });
    writeFileSync(at("open/inner/a.ts"), greet());
    chmodSync(at("open"), 0o775);
    const { loaded, refused } = await loadPlugins(at("open/inner"), UID);
    expect(loaded).toEqual([]);
    expect(refused.map(({ file }) => file)).toEqual([at("open/inner")]);
    expect(refused[0]?.reason).toStartWith(`${at("open")} can be written by its group (mode 0775)`);
  });

  test("that is not there is said", async () => {
    const { refused } = await loadPlugins(at("gone"), UID);
    expect(refused[0]).toEqual({
      file: at("gone"),
      reason: `${at("gone")} does not exist`,
      remedy: "Make it, or leave the setting out.",
    });
  });
});
