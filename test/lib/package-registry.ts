import { rmSync } from "node:fs";
import { join } from "node:path";
import { folderOf } from "./handler-harness.ts";

/** An npm registry on this machine with one package, `greet@1.0.0`, and what it was asked. */
export function startPackageRegistry() {
  const folder = folderOf({
    "package/package.json": JSON.stringify({ name: "greet", version: "1.0.0", main: "index.js" }),
    "package/index.js": "module.exports = (who) => 'greetings, ' + who;\n",
  });
  const archive = join(folder, "greet.tgz");
  Bun.spawnSync(["tar", "-czf", archive, "-C", folder, "package"]);
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request): Promise<Response> {
      const { pathname, origin } = new URL(request.url);
      asked.push(pathname);
      const bytes = await Bun.file(archive).bytes();
      if (pathname === "/greet-1.0.0.tgz") return new Response(bytes);
      if (pathname !== "/greet") return new Response("{}", { status: 404 });
      const integrity = `sha512-${new Bun.CryptoHasher("sha512").update(bytes).digest("base64")}`;
      const dist = { tarball: `${origin}/greet-1.0.0.tgz`, integrity };
      const version = { name: "greet", version: "1.0.0", main: "index.js", dist };
      return Response.json({ name: "greet", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } });
    },
  });
  return {
    url: server.url.href,
    asked,
    stop() {
      void server.stop(true);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A folder that pip takes packages from: `greet 1.0.0` as a wheel. */
export function wheelFolder(python: string): string {
  const folder = folderOf({});
  const metadata = "Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0.0\\n";
  const wheel = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n";
  const code = `
import zipfile
with zipfile.ZipFile("${folder}/greet-1.0.0-py3-none-any.whl", "w") as out:
    out.writestr("greet.py", "def greet(who): return 'greetings, ' + who\\n")
    out.writestr("greet-1.0.0.dist-info/METADATA", "${metadata}")
    out.writestr("greet-1.0.0.dist-info/WHEEL", "${wheel}")
    out.writestr("greet-1.0.0.dist-info/RECORD", "")
`;
  Bun.spawnSync([python, "-c", code]);
  return folder;
}
