import { afterEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { folderOf } from "../../../../test/lib/handler-harness.ts";
import { appCommand } from "./synth-app.ts";
import { lockOf } from "./synth-lock.ts";

const folders: string[] = [];
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});
const folder = (files: Record<string, string>) => {
  const path = folderOf(files);
  folders.push(path);
  return path;
};
const wants = (more: object = {}) => JSON.stringify({ dependencies: { cdktn: "0.24.0" }, ...more });
const js = (files: Record<string, string>, npm = true) => lockOf(folder(files), "js", { npm });
const python = (files: Record<string, string>) => lockOf(folder(files), "python", { npm: true });

describe("the lockfile of an app", () => {
  test("is npm's where there is npm, else read by Bun", () => {
    const files = { "package.json": wants(), "package-lock.json": "{}" };
    expect(js(files)).toMatchObject({ name: "package-lock.json", manager: "npm", inPlace: false });
    expect(js(files, false)).toMatchObject({ name: "package-lock.json", manager: "bun" });
    for (const name of ["bun.lock", "yarn.lock", "pnpm-lock.yaml"]) {
      expect(js({ "package.json": wants(), [name]: "x" })).toMatchObject({ name, manager: "bun" });
    }
  });

  test("brings the registries of .npmrc, and is none where nothing is needed", () => {
    const lock = js({ "package.json": wants(), "bun.lock": "{}", ".npmrc": "registry=https://npm.example/" });
    expect(Object.keys(lock?.files ?? {})).toEqual(["package.json", "bun.lock", ".npmrc"]);
    expect(js({})).toBeNull();
    expect(js({ "package.json": '{"name":"x"}' })).toBeNull();
    expect(python({})).toBeNull();
    expect(python({ "requirements.txt": "# nothing\n" })).toBeNull();
  });

  test("of packages that are folders of the source is installed in their place", () => {
    for (const more of [{ workspaces: ["a"] }, { dependencies: { own: "file:../own" } }]) {
      expect(js({ "package.json": wants(more), "package-lock.json": "{}" })?.inPlace).toBe(true);
    }
  });

  test("may be a Pipfile.lock, whose hashes pip is held to", () => {
    const hash = `sha256:${"a".repeat(64)}`;
    const pipfile = {
      default: {
        jsii: { version: "==1.2.3", hashes: [hash], markers: "python_version >= '3.8'" },
        attrs: { version: "==24.1.0", hashes: [hash], extras: ["x"] },
      },
      develop: { pytest: { version: "==8.0.0" } },
    };
    expect(python({ "Pipfile.lock": JSON.stringify(pipfile) })?.files).toEqual({
      "requirements.lock.txt": `attrs[x]==24.1.0 --hash=${hash}\njsii==1.2.3 ; python_version >= '3.8' --hash=${hash}`,
    });
    const open = { default: { jsii: { version: "*" } } };
    expect(() => python({ "Pipfile.lock": JSON.stringify(open) })).toThrow("something else than exact versions");
    expect(() => python({ "Pipfile.lock": JSON.stringify({ default: { own: { path: "." } } }) })).toThrow("no version");
  });

  test.each(["a", "a>=1", "a==1.*", "a~=1.0", "-r other.txt", "--index-url http://x", "-e .", "./own", "a==1 b==2"])(
    "is refused in a requirements.txt with the line %j",
    (line) => {
      expect(() => python({ "requirements.txt": `ok==1.0\n${line}\n` })).toThrow(JSON.stringify(line));
    },
  );

  test.each([
    "a==1.0",
    "a[x,y]==1.0.post1",
    "a===1.0",
    "a==1.0 ; sys_platform == 'linux'",
    "a @ https://x.example/a.whl",
  ])("may have the line %j", (line) => {
    expect(python({ "requirements.txt": `${line}  # why\n` })?.files["requirements.lock.txt"]).toBe(line);
  });
});

describe("the command of an app", () => {
  const env = { PATH: process.env.PATH ?? "" };
  const argv = (app: string) => appCommand(app, "/none", env).argv.slice(1);

  test.each([
    ["npx ts-node main.ts", ["--no-install", "run", "main.ts"]],
    [
      "npx --yes ts-node -P tsconfig.json --transpile-only src/main.ts --flag x",
      ["--no-install", "run", "src/main.ts", "--flag", "x"],
    ],
    ["bun run main.ts", ["--no-install", "run", "main.ts"]],
    ["bunx tsx main.mts", ["--no-install", "run", "main.mts"]],
    ["pnpm exec tsx main.ts", ["--no-install", "run", "main.ts"]],
    ["a | b", ["-c", "a | b"]],
  ])("%s", (app, rest) => {
    expect(argv(app)).toEqual(rest);
  });

  test("is refused when its quotes do not match, and named when Python is missing", () => {
    expect(() => appCommand("node 'main.js", "/none", env)).toThrow("single quote");
    expect(() => appCommand("python3 main.py", "/none", { PATH: "/none" })).toThrow("not on this machine");
  });
});
