import { join } from "node:path";

export interface GitRequest {
  readonly authorization: string | null;
  readonly path: string;
  /** It carried objects, and did not only ask for refs. */
  readonly fetches: boolean;
}

/** Git's own smart HTTP service over the repositories of a folder: `<url>/name.git`. */
export function startGitServer(options: {
  readonly root: string;
  /** `user:password`; null: anybody may read. Read at each request. */
  readonly login?: () => string | null;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Answers in place of git; null: git answers. */
  readonly before?: (request: Request) => Response | null;
}) {
  const seen: GitRequest[] = [];
  const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(options.tls ? { tls: { cert: Bun.file(options.tls.cert), key: Bun.file(options.tls.key) } } : {}),
    async fetch(request): Promise<Response> {
      const { pathname } = new URL(request.url);
      const raw = new Uint8Array(await request.arrayBuffer());
      const body = request.headers.get("content-encoding") === "gzip" ? Bun.gunzipSync(raw) : raw;
      const authorization = request.headers.get("authorization");
      seen.push({ authorization, path: pathname, fetches: new TextDecoder().decode(body).includes("command=fetch") });
      const early = options.before?.(request);
      if (early) return early;
      const login = options.login?.() ?? null;
      if (login !== null && authorization !== `Basic ${Buffer.from(login).toString("base64")}`) {
        return new Response("no", { status: 401, headers: { "www-authenticate": "Basic" } });
      }
      const name = /^\/([\w-]+)\.git\//.exec(pathname)?.[1];
      if (name === undefined) return new Response("no", { status: 404 });
      const advertise = request.method === "GET";
      const args = ["git", "-c", "uploadpack.allowAnySHA1InWant=true", "-c", "safe.directory=*"];
      const service = Bun.spawn(
        [
          ...args,
          "upload-pack",
          "--stateless-rpc",
          ...(advertise ? ["--advertise-refs"] : []),
          join(options.root, name),
        ],
        { stdin: body, stdout: "pipe", env: { ...env, GIT_PROTOCOL: request.headers.get("git-protocol") ?? "" } },
      );
      const out = await new Response(service.stdout).arrayBuffer();
      const head = advertise ? "001e# service=git-upload-pack\n0000" : "";
      const kind = advertise ? "advertisement" : "result";
      return new Response(new Blob([head, out]), {
        headers: { "content-type": `application/x-git-upload-pack-${kind}` },
      });
    },
  });
  return { url: server.url.href.replace(/\/$/, ""), port: server.port, seen, stop: () => server.stop(true) };
}
