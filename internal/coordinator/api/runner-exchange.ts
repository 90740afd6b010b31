import { type Context, Hono } from "hono";
import { tokenExchange } from "../../protocol/token-exchange.ts";
import type { Exchange, ExchangeFailure } from "../identity/exchange.ts";
import { EXCHANGE } from "../identity/limits.ts";
import { readJson } from "./body.ts";
import { forbidden, tooMany, unavailable } from "./runner-errors.ts";

const MANY = "too many exchanges";

/** A runner without a token gets one for a proof of its identity; protocol/token-exchange.ts. */
export function exchangeRoutes(exchange: Exchange): Hono {
  const app = new Hono();
  app.post("/v1/runners/:runner_id/token-exchange", async (c) => {
    const address = addressOf(c);
    const seconds = exchange.busy(address);
    if (seconds > 0) return tooMany(c, MANY, seconds);
    const request = await readJson(c, tokenExchange, EXCHANGE.bodyBytes);
    if (!request.ok) return request.error;
    const given = await exchange.exchange(c.req.param("runner_id"), request.value, address);
    if (!given.ok) return refusal(c, given.error);
    const { token, endsAt } = given.value;
    const answer = { token, expires_at: endsAt === null ? null : new Date(endsAt).toISOString() };
    return c.json(answer, 201, { "cache-control": "no-store" });
  });
  return app;
}

function refusal(c: Context, failure: ExchangeFailure): Response {
  switch (failure.kind) {
    case "busy":
      return tooMany(c, MANY, failure.seconds);
    case "later":
      return unavailable(c, "the proof cannot be checked now");
    case "refused":
      return forbidden(c, "no token for this identity", "the log of the coordinator says why");
  }
}

/** The other end of the connection, which may be a proxy; a header could say anything. */
function addressOf(c: Context): string {
  const server: unknown = c.env;
  if (server === null || typeof server !== "object" || !("requestIP" in server)) return "unknown";
  if (typeof server.requestIP !== "function") return "unknown";
  const found: unknown = server.requestIP(c.req.raw);
  const isKnown = found !== null && typeof found === "object" && "address" in found;
  return isKnown && typeof found.address === "string" ? found.address : "unknown";
}
