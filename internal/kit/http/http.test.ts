import { afterEach, describe, expect, test } from "bun:test";
import { z } from "zod";
import { quickClock } from "../../../test/lib/quick-clock.ts";
import { createSystemLog } from "../base/system-log.ts";
import { createHttp, type HttpRequest } from "./http.ts";

type Answer = (request: Request) => Response | Promise<Response>;
const servers: { stop(force: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) void server.stop(true);
});

/** A server that gives one answer after the other, then the last one for ever. */
function serve(...answers: readonly [Answer, ...Answer[]]) {
  const seen: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      seen.push(request);
      return (answers[seen.length - 1] ?? answers[answers.length - 1] ?? answers[0])(request);
    },
  });
  servers.push(server);
  const lines: string[] = [];
  const clock = quickClock(500);
  const log = createSystemLog({ format: "text", level: "info", write: (line) => lines.push(line) });
  const http = createHttp({ baseUrl: `${server.url}`, clock, log, random: () => 0 });
  return { http, seen, lines, clock, server };
}

const rule = { tries: 20, base_ms: 100, cap_ms: 1_000, timeout_ms: 100_000 };
const call = { method: "POST", path: "/v1/thing", json: { a: 1 }, rule } as const satisfies HttpRequest;
const thing = z.object({ b: z.number() });
const fine: Answer = () => Response.json({ b: 2 });

describe("a request", () => {
  test("survives 500, 429, an HTML page, half a document and a body of another shape, and says so once", async () => {
    const { http, seen, lines } = serve(
      () => new Response("boom", { status: 500 }),
      () => new Response("busy", { status: 429, headers: { "Retry-After": "1" } }),
      () =>
        new Response("<html><body><h1>Bad gateway</h1></body></html>", { headers: { "Content-Type": "text/html" } }),
      () => new Response('{"b": '),
      () => Response.json({ b: "two" }),
      fine,
    );
    const answer = await http.request({ ...call, decode: thing });
    expect(answer.ok && answer.value.value).toEqual({ b: 2 });
    expect(seen.length).toBe(6);
    expect(lines.filter((line) => line.includes(" warn "))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("is back"))).toHaveLength(1);
  });

  test("waits at least as long as Retry-After says", async () => {
    const { http, clock } = serve(() => new Response("", { status: 429, headers: { "Retry-After": "30" } }), fine);
    await http.request({ ...call, decode: thing });
    expect(clock.slept).toContain(30_000);
  });

  test("ends at once on a refusal and tells what to check", async () => {
    const { http, seen } = serve(() =>
      Response.json({ error: "token is expired", secret: "hunter2" }, { status: 401 }),
    );
    const answer = await http.request({ ...call, decode: thing });
    if (answer.ok) throw new Error("expected a refusal");
    expect(seen.length).toBe(1);
    expect(answer.error).toMatchObject({ kind: "refused", status: 401, retryable: false });
    expect(answer.error.message).toContain("token is expired");
    expect(answer.error.message).not.toContain("hunter2");
    expect(answer.error.remedy).toBeDefined();
  });

  test("gives the document of a conflict to its caller", async () => {
    const { http } = serve(() => Response.json({ stored: 12 }, { status: 409 }));
    const answer = await http.request({ ...call, decode: thing });
    expect(answer.ok ? null : answer.error).toMatchObject({ kind: "conflict", body: { stored: 12 } });
  });

  test("quotes at most 200 characters of a page that is not JSON", async () => {
    const { http } = serve(() => new Response(`<p>${"long ".repeat(200)}</p>`, { status: 400 }));
    const answer = await http.request({ ...call, decode: "none" });
    const message = answer.ok ? "" : answer.error.message;
    expect(message).toContain("long long");
    expect(message.length).toBeLessThan(250);
  });

  test("gives up a hanging try after its limit and tries again", async () => {
    const { http, seen } = serve(() => new Promise<Response>(() => undefined), fine);
    const answer = await http.request({ ...call, decode: thing });
    expect(answer.ok).toBe(true);
    expect(seen.length).toBe(2);
  });

  test("stops when it is given up, also while it waits", async () => {
    const { http } = serve(() => new Response("", { status: 503, headers: { "Retry-After": "3000" } }));
    const stop = new AbortController();
    const answer = http.request({ ...call, decode: "none", signal: stop.signal });
    stop.abort();
    expect((await answer).ok).toBe(false);
  });

  test("refuses a body above its limit instead of holding it in memory", async () => {
    const { http, seen } = serve(() => new Response(new Uint8Array(5_000)));
    const announced = await http.request({ ...call, decode: "text", maxBytes: 1_000 });
    expect(announced.ok ? null : announced.error.kind).toBe("protocol");
    expect(seen.length).toBe(1);
    const unannounced = serve(() => new Response(new Blob(["x".repeat(5_000)]).stream()));
    const streamed = await unannounced.http.request({ ...call, decode: "text", maxBytes: 1_000 });
    expect(streamed.ok ? null : streamed.error.message).toContain("larger than 1000 bytes");
  });

  test("tells a connection that was never made from one that was cut", async () => {
    const { http, server } = serve(fine);
    await server.stop(true);
    const answer = await http.request({ ...call, rule: { ...rule, tries: 1 }, decode: "none" });
    expect(answer.ok ? null : answer.error).toMatchObject({ sent: false, retryable: true, status: null });
  });

  test("does not follow a redirect with its token", async () => {
    const { http, seen } = serve(() => Response.redirect("http://127.0.0.1:1/?token=abc", 302));
    const answer = await http.request({ ...call, decode: "none" });
    expect(answer.ok ? "" : answer.error.message).toContain("redirects to http://127.0.0.1:1");
    expect(answer.ok ? "" : answer.error.message).not.toContain("abc");
    expect(seen.length).toBe(1);
  });

  test("sends a body gzipped when asked to", async () => {
    const { http } = serve(async (request) => {
      expect(request.headers.get("content-encoding")).toBe("gzip");
      const body = Bun.gunzipSync(new Uint8Array(await request.arrayBuffer()));
      return Response.json({ b: body.length });
    });
    const bytes = { data: new Uint8Array(9_000), type: "application/x-protobuf", gzip: true };
    const { json: _, ...rest } = call;
    const answer = await http.request({ ...rest, bytes, decode: thing });
    expect(answer.ok && answer.value.value).toEqual({ b: 9_000 });
  });
});

test("a route that fails beside one that works is said once, not with every answer of the other", async () => {
  const { http, lines } = serve((request) =>
    request.url.endsWith("/bad") ? new Response("", { status: 500 }) : Response.json({ b: 1 }),
  );
  const bad = http.request({ ...call, path: "/bad", rule: { ...rule, tries: 6 }, decode: "none" });
  for (let n = 0; n < 20; n++) await http.request({ ...call, decode: thing });
  await bad;
  expect(lines.filter((line) => line.includes(" warn "))).toHaveLength(1);
});
