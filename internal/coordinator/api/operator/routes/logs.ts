import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type LogLine, logSearch, numberedLine } from "../../../../protocol/operator.ts";
import { holdOpen } from "../../runner-deps.ts";
import type { OperatorDeps } from "../deps.ts";
import { followLog } from "../log-follower.ts";
import { exactText, LOG_START, type LogPlace, parseCursor, readLog, streamsOf } from "../log-reader.ts";
import { linesOf, searchLog } from "../log-search.ts";
import { explained, problem } from "../problem.ts";
import { answers, countParam, idParam, named, problemAnswer } from "../schemas.ts";
import { sseResponse } from "../sse.ts";
import { noSuch } from "./jobs.ts";

const tags = ["jobs"];
const cursor = z.string().optional().openapi({ description: "Go on behind the line with this cursor" });
const source = z.enum(["tool", "runner"]).optional();
const readQuery = z.strictObject({ format: z.enum(["ndjson", "text"]).optional(), source, after: cursor });
const streamQuery = z.strictObject({ source, after: cursor });

const read = createRoute({
  method: "get",
  path: "/jobs/{id}/logs",
  tags,
  summary: "What a job or change has logged until now",
  description: "NDJSON of LogLine; with format=text the exact text, with source=tool only what its programs printed.",
  request: { params: idParam, query: readQuery },
  responses: {
    200: {
      description: "The log (application/x-ndjson, or text/plain)",
      content: { "*/*": { schema: z.string() } },
    },
    default: problemAnswer,
  },
});
const live = createRoute({
  method: "get",
  path: "/jobs/{id}/logs/stream",
  tags,
  summary: "The log live, from its beginning or behind Last-Event-ID",
  description: "Server-sent events: id is the cursor, data a LogLine; event `end` when nothing more will come.",
  request: { params: idParam, query: streamQuery, headers: z.object({ "last-event-id": z.string().optional() }) },
  responses: {
    200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
    default: problemAnswer,
  },
});

const lineParam = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, "the number of a line, from 1")
  .transform(Number)
  .optional()
  .openapi({ type: "integer", description: "The number of a line, from 1" });
const searchQuery = z.strictObject({
  q: z.string().min(1).max(500).openapi({ description: "Plain text; upper and lower case alike, colours ignored" }),
  to: lineParam,
  limit: countParam(10_000, 1_000),
});
const linesQuery = z.strictObject({ from: lineParam, count: countParam(5_000, 1_000) });

const search = createRoute({
  method: "get",
  path: "/jobs/{id}/logs/search",
  tags,
  summary: "Lines of the log that show a text",
  description:
    "Searches everything logged until now, or the lines up to `to`. All hits are counted, `limit` are given.",
  request: { params: idParam, query: searchQuery },
  responses: answers(named(logSearch, "LogSearch"), "The hits, oldest first"),
});
const lines = createRoute({
  method: "get",
  path: "/jobs/{id}/logs/lines",
  tags,
  summary: "A part of the log by line numbers",
  request: { params: idParam, query: linesQuery },
  responses: answers(z.array(named(numberedLine, "NumberedLine")), "The lines that are there"),
});

export const LOG_ROUTES = [read, live, search, lines];

export function logRoutes(app: OpenAPIHono, deps: OperatorDeps): void {
  app.openapi(
    read,
    (c) => {
      const { id } = c.req.valid("param");
      const query = c.req.valid("query");
      if (streamsOf(deps.store, id) === null) throw noSuch(id);
      holdOpen(c);
      const pages = readLog(deps, id, placeFrom(query.after, "after"));
      const asText = query.format === "text";
      const type = asText ? "text/plain; charset=utf-8" : "application/x-ndjson";
      const body = streamPages(pages, query.source, asText ? exactText : (line) => `${JSON.stringify(line)}\n`);
      return new Response(body, { headers: { "content-type": type, "cache-control": "no-store" } });
    },
    explained({ query: readQuery }),
  );
  app.openapi(
    live,
    (c) => {
      const { id } = c.req.valid("param");
      const query = c.req.valid("query");
      if (streamsOf(deps.store, id) === null) throw noSuch(id);
      const last = c.req.header("last-event-id");
      const from = last === undefined ? placeFrom(query.after, "after") : placeFrom(last, "Last-Event-ID");
      holdOpen(c);
      const follower = followLog(deps, id, from);
      const next = async (waitMs: number, signal: AbortSignal) => {
        const page = await follower.next(waitMs, signal);
        if (page === null || page === undefined) return page;
        const wanted = page.filter((line) => query.source === undefined || line.source === query.source);
        return wanted.map((line) => ({ id: line.cursor, data: JSON.stringify(line) }));
      };
      return sseResponse(next, { signal: c.req.raw.signal, closed: follower.close });
    },
    explained({ query: streamQuery }),
  );
  app.openapi(
    search,
    async (c) => {
      const { id } = c.req.valid("param");
      const { q, to, limit } = c.req.valid("query");
      if (streamsOf(deps.store, id) === null) throw noSuch(id);
      holdOpen(c);
      const { signal } = c.req.raw;
      return c.json(await searchLog(deps, id, { text: q, to: to ?? null, limit, signal }), 200);
    },
    explained({ query: searchQuery }),
  );
  app.openapi(
    lines,
    async (c) => {
      const { id } = c.req.valid("param");
      const { from, count } = c.req.valid("query");
      if (streamsOf(deps.store, id) === null) throw noSuch(id);
      holdOpen(c);
      return c.json(await linesOf(deps, id, { from: from ?? 1, count, signal: c.req.raw.signal }), 200);
    },
    explained({ query: linesQuery }),
  );
}

function placeFrom(text: string | undefined, name: string): LogPlace {
  if (text === undefined || text === "") return LOG_START;
  const place = parseCursor(text);
  if (place !== null) return place;
  throw problem(400, "usage", `${name}: found ${JSON.stringify(text)}; expected the cursor of a line`);
}

/** Pulled: a page is read when the client has taken the one before. */
function streamPages(
  pages: AsyncGenerator<LogLine[]>,
  source: LogLine["source"] | undefined,
  render: (line: LogLine) => string,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull: async (controller) => {
      for (;;) {
        const page = await pages.next();
        if (page.done === true) {
          controller.close();
          return;
        }
        const wanted = source === undefined ? page.value : page.value.filter((line) => line.source === source);
        if (wanted.length === 0) continue;
        controller.enqueue(encoder.encode(wanted.map(render).join("")));
        return;
      }
    },
    cancel: async () => {
      await pages.return(undefined);
    },
  });
}
