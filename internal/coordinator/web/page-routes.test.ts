import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pageRoutes } from "./page-routes.ts";

const folder = mkdtempSync(join(tmpdir(), "runner-page-"));
const file = (name: string, loader: Bun.Loader, type: string) => ({
  path: join(folder, name),
  loader,
  isEntry: true,
  headers: { etag: `tag-${loader}`, "content-type": type },
});

/** A page as the compiled binary knows it. */
const compiled: Bun.HTMLBundle = {
  index: join(folder, "index-1.html"),
  files: [
    file("index-1.html", "html", "text/html;charset=utf-8"),
    file("chunk-2.js", "js", "text/javascript;charset=utf-8"),
  ],
};

let server: Bun.Server<undefined>;
beforeAll(() => {
  writeFileSync(join(folder, "index-1.html"), "<!doctype html>");
  writeFileSync(join(folder, "chunk-2.js"), "1");
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    routes: pageRoutes(compiled),
    fetch: () => new Response(null, { status: 404 }),
  });
});
afterAll(async () => {
  await server.stop(true);
  rmSync(folder, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(new URL(path, server.url), { headers });

describe("the page of the compiled binary", () => {
  test("is one document at /, /ui and below, that may load only its own files and may not be framed", async () => {
    for (const path of ["/", "/ui", "/ui/jobs/job1?status=failed"]) {
      const answer = await get(path);
      expect(await answer.text()).toBe("<!doctype html>");
      expect(answer.headers.get("content-type")).toStartWith("text/html");
      expect(answer.headers.get("cache-control")).toBe("no-cache");
      expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(answer.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(answer.headers.get("x-frame-options")).toBe("DENY");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    }
  });

  test("has scripts that are kept for ever, and answers 304 to what is known", async () => {
    const script = await get("/chunk-2.js");
    expect(script.headers.get("cache-control")).toContain("immutable");
    expect(script.headers.get("x-content-type-options")).toBe("nosniff");
    const tag = script.headers.get("etag") ?? "";
    const again = await get("/chunk-2.js", { "If-None-Match": tag });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("takes no other path and no other method", async () => {
    expect((await get("/chunk-3.js")).status).toBe(404);
    expect((await fetch(server.url, { method: "POST" })).status).toBe(404);
  });
});

test("the policy in the document is that of the headers, but for what a document cannot say", () => {
  const html = readFileSync(join(import.meta.dir, "index.html"), "utf8");
  const inDocument = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(html)?.[1];
  const route = pageRoutes(compiled)["/"];
  const inHeader = route && "GET" in route ? route.GET(new Request("http://x/")).headers : new Headers();
  expect(inHeader.get("content-security-policy")).toBe(`${inDocument}; frame-ancestors 'none'`);
});
