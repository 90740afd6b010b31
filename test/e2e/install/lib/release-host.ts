import { existsSync } from "node:fs";
import { join, normalize } from "node:path";

/** What a path of the release host answers instead of its file; null: the file after all. */
export type Answer = (request: Request, file: string) => Response | null | Promise<Response | null>;

/** A web server with the releases of a folder, as any would serve them, and with faults where a test wants them. */
export interface ReleaseHost {
  readonly url: string;
  /** By the end of the path. Answers until `heal`. */
  fault(end: string, answer: Answer): void;
  heal(): void;
  end(): Promise<void>;
}

export function startReleaseHost(folder: string): ReleaseHost {
  const faults = new Map<string, Answer>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, server) {
      server.timeout(request, 0);
      const file = join(folder, normalize(decodeURIComponent(new URL(request.url).pathname)));
      for (const [end, answer] of faults) {
        const instead = file.endsWith(end) && (end === "" || existsSync(file)) ? await answer(request, file) : null;
        if (instead !== null) return instead;
      }
      return existsSync(file) ? new Response(Bun.file(file)) : new Response("not found", { status: 404 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    fault: (end, answer) => void faults.set(end, answer),
    heal: () => faults.clear(),
    end: () => server.stop(true),
  };
}

export const loginPage: Answer = () =>
  new Response("<!DOCTYPE html>\n<html><body>Please log in</body></html>\n", {
    headers: { "content-type": "text/html" },
  });

/** The first half of the file, as if that was all of it. */
export const half: Answer = async (_request, file) => {
  const bytes = await Bun.file(file).bytes();
  return new Response(bytes.slice(0, bytes.length / 2));
};

/** More than any small file of a release has: 64 MiB of nothing, as far as it is read. */
export const endless: Answer = () =>
  new Response(
    new ReadableStream({
      start(controller) {
        for (let n = 0; n < 64; n++) controller.enqueue(new Uint8Array(1_048_576));
        controller.close();
      },
    }),
  );

/** Of the same length, one bit changed. */
export const tampered: Answer = async (_request, file) => {
  const bytes = await Bun.file(file).bytes();
  bytes[bytes.length - 2] = (bytes[bytes.length - 2] ?? 0) ^ 1;
  return new Response(bytes);
};

export const status =
  (code: number): Answer =>
  () =>
    new Response("no", { status: code });
