import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventDoc } from "../../../../protocol/operator.ts";
import { holdOpen } from "../../runner-deps.ts";
import type { OperatorDeps } from "../deps.ts";
import { explained, problem } from "../problem.ts";
import { answers, countParam, named, problemAnswer, seqParam } from "../schemas.ts";
import { createNudge, sseResponse } from "../sse.ts";

const tags = ["events"];
const listQuery = z.strictObject({ after: seqParam, limit: countParam(1_000, 200) });
const streamQuery = z.strictObject({ after: seqParam });
/** Events sent in one go to a client that has fallen behind. */
const BATCH = 500;

const list = createRoute({
  method: "get",
  path: "/events",
  tags,
  summary: "The timeline of everything, oldest first",
  request: { query: listQuery },
  responses: answers(z.array(named(eventDoc, "Event")), "A page of it"),
});
const stream = createRoute({
  method: "get",
  path: "/events/stream",
  tags,
  summary: "The timeline live",
  description:
    "Server-sent events: id is the seq, data an Event. Resumes behind Last-Event-ID, or behind `after`; otherwise it begins now.",
  request: { query: streamQuery, headers: z.object({ "last-event-id": z.string().optional() }) },
  responses: {
    200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
    default: problemAnswer,
  },
});

export const EVENT_ROUTES = [list, stream];

export function eventRoutes(app: OpenAPIHono, { store }: OperatorDeps): void {
  app.openapi(
    list,
    (c) => {
      const { after, limit } = c.req.valid("query");
      return c.json(store.events.list({ after: after ?? 0, limit }), 200);
    },
    explained({ query: listQuery }),
  );
  app.openapi(
    stream,
    (c) => {
      const given = c.req.header("last-event-id");
      if (given !== undefined && !/^\d{1,15}$/.test(given)) {
        throw problem(400, "usage", `Last-Event-ID: found ${JSON.stringify(given)}; expected a seq of an event`);
      }
      holdOpen(c);
      let after = given === undefined ? (c.req.valid("query").after ?? store.events.latest()) : Number(given);
      const more = createNudge();
      const unsubscribe = store.events.subscribe(more.nudge);
      const next = async (waitMs: number, signal: AbortSignal) => {
        let events = store.events.list({ after, limit: BATCH });
        if (events.length === 0) {
          await more.wait(waitMs, signal);
          events = store.events.list({ after, limit: BATCH });
        }
        after = events.at(-1)?.seq ?? after;
        return events.length === 0 ? null : events.map((e) => ({ id: String(e.seq), data: JSON.stringify(e) }));
      };
      return sseResponse(next, { signal: c.req.raw.signal, closed: unsubscribe });
    },
    explained({ query: streamQuery }),
  );
}
