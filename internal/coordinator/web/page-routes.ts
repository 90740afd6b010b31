import { dirname, relative } from "node:path";

/**
 * What a browser is told about the page: it loads nothing from elsewhere, runs no text as code, is never framed and
 * never names its address to others. The same policy stands in index.html for a run from source, where Bun serves the
 * page by itself and takes no headers; there only `frame-ancestors` is missing, which main.tsx makes up for.
 */
const SECURITY_HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
} as const;

/** Names of scripts and styles carry a hash of their content: they never change. The document is asked for each time. */
const IMMUTABLE = "public, max-age=31536000, immutable";

interface Served {
  readonly GET: (request: Request) => Response;
}
export type PageRoutes = Record<string, Bun.HTMLBundle | Served>;

const DOCUMENT_PATHS = ["/", "/ui", "/ui/*"];

/** In the compiled binary every file is served with our headers; from source Bun bundles and serves the page itself. */
export function pageRoutes(page: Bun.HTMLBundle): PageRoutes {
  const routes: PageRoutes = {};
  if (page.files === undefined) {
    for (const path of DOCUMENT_PATHS) routes[path] = page;
    return routes;
  }
  for (const file of page.files) {
    if (file.loader === "html") for (const path of DOCUMENT_PATHS) routes[path] = serve(file, "no-cache");
    else routes[`/${relative(dirname(page.index), file.path)}`] = serve(file, IMMUTABLE);
  }
  return routes;
}

type BundledFile = NonNullable<Bun.HTMLBundle["files"]>[number];

function serve(file: BundledFile, cache: string): Served {
  const etag = `"${file.headers.etag}"`;
  const headers = {
    ...SECURITY_HEADERS,
    "Content-Type": file.headers["content-type"],
    "Cache-Control": cache,
    ETag: etag,
  };
  return {
    GET: (request) =>
      request.headers.get("If-None-Match") === etag
        ? new Response(null, { status: 304, headers })
        : new Response(Bun.file(file.path), { headers }),
  };
}
