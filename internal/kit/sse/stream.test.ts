import { afterEach, describe, expect, test } from "bun:test";
import { fail, ok, RunnerError } from "../../protocol/errors.ts";
import type { Clock } from "../base/clock.ts";
import { openStream, type StreamOpener, type StreamState } from "./stream.ts";

/** Waits are recorded and take no time; only the watch for silence never fires. */
function fakeClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => 0,
    monotonic: () => 0,
    sleep: (ms, signal) => {
      if (ms < 50_000) {
        waits.push(ms);
        return Promise.resolve();
      }
      return new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
}

let stop: (() => void) | null = null;
afterEach(() => stop?.());

type Answer = (lastId: string | null) => Response;

/** A real server that gives the scripted answers one after the other, and a client for it. */
function serve(answers: readonly Answer[]) {
  const seen: (string | null)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const lastId = request.headers.get("Last-Event-ID");
      seen.push(lastId);
      return answers[Math.min(seen.length, answers.length) - 1]?.(lastId) ?? new Response(null, { status: 500 });
    },
  });
  stop = () => void server.stop(true);
  const api: StreamOpener = {
    async open(path, headers, signal) {
      const response = await fetch(new URL(path, server.url), { headers, signal });
      if (response.ok) return ok(response);
      return fail(new RunnerError(response.status === 401 ? "refused" : "unreachable", `${response.status}`));
    },
  };
  return { api, seen };
}

const events =
  (text: string): Answer =>
  () =>
    new Response(text, { headers: { "Content-Type": "text/event-stream" } });

/** Follows a stream until it is in the state `last`. */
async function follow(api: ReturnType<typeof serve>["api"], last: StreamState, clock = fakeClock()) {
  const data: string[] = [];
  const states: StreamState[] = [];
  await new Promise<void>((resolve) => {
    const stream = openStream(
      {
        api,
        path: "/events/stream",
        lastId: "",
        endsOnClose: () => false,
        onMessage: (message) => data.push(message.data),
        onState(state) {
          states.push(state);
          if (state !== last) return;
          stream?.close();
          resolve();
        },
      },
      { clock, random: () => 1 },
    );
  });
  return { data, states, waits: clock.waits };
}

describe("a live stream", () => {
  test("goes on behind the last message after the connection broke", async () => {
    const { api, seen } = serve([
      events("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
      (lastId) => events(`id: 3\ndata: behind ${lastId}\n\nevent: end\ndata: {}\n\n`)(lastId),
    ]);
    const { data, states } = await follow(api, "ended");
    expect(data).toEqual(["a", "b", "behind 2"]);
    expect(seen).toEqual([null, "2"]);
    expect(states).toEqual(["connecting", "open", "lost", "open", "ended"]);
  });

  test("waits longer after each failure, up to ten seconds, and starts again from the bottom once it was open", async () => {
    const down: Answer = () => new Response("<html>bad gateway</html>", { status: 502 });
    const { api } = serve([
      down,
      down,
      down,
      down,
      down,
      down,
      events("id: 1\ndata: a\n\n"),
      events("event: end\ndata: {}\n\n"),
    ]);
    const { waits } = await follow(api, "ended");
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 500]);
  });

  test("does not knock again when the key is refused", async () => {
    const body = { error: "unknown key", kind: "refused", remedy: null };
    const { api, seen } = serve([() => Response.json(body, { status: 401 })]);
    const { states } = await follow(api, "refused");
    expect(states).toEqual(["connecting", "refused"]);
    expect(seen.length).toBe(1);
  });
});
