import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventDoc } from "../../../../protocol/operator.ts";
import { holdOpen } from "../../runner-deps.ts";
import type { OperatorDeps } from "../deps.ts";
import { explained, problem } from "../problem.ts";
import { answers, countParam, named, problemAnswer, seqParam } from "../schemas.ts";
import { createNudge, sseResponse } from "../sse.ts";

const tags = ["events"];
const textParam = (description: string) => z.string().min(1).max(200).optional().openapi({ description });
/** What of the timeline is wanted; all of them have to fit. */
const filters = {
  subject: textParam("Only events about this job, change, runner or execution (its id)"),
  what: textParam("Only what happened under this name; `step:` stands for everything that begins with it"),
  by: textParam("Only what this actor did; `runner:` stands for every runner"),
};
const listQuery = z.strictObject({
  after: seqParam,
  before: seqParam.openapi({ type: "integer", description: "Only events ahead of this seq" }),
  order: z.enum(["oldest", "newest"]).optional().openapi({ description: "Which come first; `oldest` when left out" }),
  limit: countParam(1_000, 200),
  ...filters,
});
const streamQuery = z.strictObject({ after: seqParam, ...filters });
/** Events sent in one go to a client that has fallen behind. */
const BATCH = 500;

const list = createRoute({
  method: "get",
  path: "/events",
  tags,
  summary: "The timeline of everything, forwards or backwards",
  description: "Pages forwards by `after`, backwards by `order=newest` and `before` with the last seq that was seen.",
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
      const { after, before, order, limit, ...wanted } = c.req.valid("query");
      const range = { after: after ?? 0, order: order ?? "oldest", limit, ...(before === undefined ? {} : { before }) };
      return c.json(store.events.list({ ...range, ...given(wanted) }), 200);
    },
    explained({ query: listQuery }),
  );
  app.openapi(
    stream,
    (c) => {
      const last = c.req.header("last-event-id");
      if (last !== undefined && !/^\d{1,15}$/.test(last)) {
        throw problem(400, "usage", `Last-Event-ID: found ${JSON.stringify(last)}; expected a seq of an event`);
      }
      holdOpen(c);
      const { after: from, ...wanted } = c.req.valid("query");
      const filter = given(wanted);
      let after = last === undefined ? (from ?? store.events.latest()) : Number(last);
      const more = createNudge();
      const unsubscribe = store.events.subscribe(more.nudge);
      const next = async (waitMs: number, signal: AbortSignal) => {
        let events = store.events.list({ ...filter, after, limit: BATCH });
        if (events.length === 0) {
          await more.wait(waitMs, signal);
          events = store.events.list({ ...filter, after, limit: BATCH });
        }
        after = events.at(-1)?.seq ?? after;
        return events.length === 0 ? null : events.map((e) => ({ id: String(e.seq), data: JSON.stringify(e) }));
      };
      return sseResponse(next, { signal: c.req.raw.signal, closed: unsubscribe });
    },
    explained({ query: streamQuery }),
  );
}

interface Wanted {
  readonly subject?: string;
  readonly what?: string;
  readonly by?: string;
}

/** Only the filters that were given. */
function given(query: { readonly [K in keyof Wanted]: Wanted[K] | undefined }): Wanted {
  return {
    ...(query.subject === undefined ? {} : { subject: query.subject }),
    ...(query.what === undefined ? {} : { what: query.what }),
    ...(query.by === undefined ? {} : { by: query.by }),
  };
}
