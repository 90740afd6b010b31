import { z } from "zod";

/** Terraform's http backend over loopback with real locks, as the coordinator has it, plus switches for bad days. */
export interface StateServer {
  readonly url: string;
  /** Last state per workspace. */
  readonly states: Map<string, string>;
  /** Lock document per workspace. */
  readonly locks: Map<string, string>;
  readonly stateJson: Map<string, Uint8Array>;
  /** Status for every state POST, null: take it. */
  refuseState: number | null;
  refuseStateJson: boolean;
  env(workspace: string): Record<string, string>;
  stop(): void;
}

const USER = "runtest.1";
const PASSWORD = "state-password-of-this-execution";
const lockDocument = z.looseObject({ ID: z.string() });

export function startStateServer(): StateServer {
  const states = new Map<string, string>();
  const locks = new Map<string, string>();
  const auth = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
  const idOf = (document: string) => lockDocument.parse(JSON.parse(document)).ID;

  const answer = async (request: Request): Promise<Response> => {
    if (request.headers.get("authorization") !== auth) return new Response(null, { status: 401 });
    const url = new URL(request.url);
    const [, what, workspace = ""] = url.pathname.split("/");
    const body = await request.text();
    const held = locks.get(workspace);
    if (what === "lock") {
      if (held !== undefined && idOf(held) !== idOf(body)) return new Response(held, { status: 423 });
      locks.set(workspace, body);
    } else if (what === "unlock") {
      if (held !== undefined && idOf(held) === idOf(body)) locks.delete(workspace);
    } else if (what === "state-json") {
      if (server.refuseStateJson) return new Response(null, { status: 500 });
      server.stateJson.set(workspace, new TextEncoder().encode(body));
    } else if (request.method === "POST") {
      if (server.refuseState !== null) return new Response("no", { status: server.refuseState });
      const id = url.searchParams.get("ID");
      if (held !== undefined && id !== null && idOf(held) !== id) return new Response(held, { status: 423 });
      states.set(workspace, body);
    } else {
      const state = states.get(workspace);
      return state === undefined ? new Response(null, { status: 204 }) : new Response(state);
    }
    return new Response(null, { status: 200 });
  };
  const http = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  const base = `http://127.0.0.1:${http.port}`;
  const server: StateServer = {
    url: base,
    states,
    locks,
    stateJson: new Map(),
    refuseState: null,
    refuseStateJson: false,
    env: (workspace) => ({
      TF_HTTP_ADDRESS: `${base}/state/${workspace}`,
      TF_HTTP_LOCK_ADDRESS: `${base}/lock/${workspace}`,
      TF_HTTP_UNLOCK_ADDRESS: `${base}/unlock/${workspace}`,
      TF_HTTP_LOCK_METHOD: "POST",
      TF_HTTP_UNLOCK_METHOD: "POST",
      TF_HTTP_USERNAME: USER,
      TF_HTTP_PASSWORD: PASSWORD,
      TF_HTTP_RETRY_MAX: "0",
    }),
    stop: () => void http.stop(true),
  };
  return server;
}
