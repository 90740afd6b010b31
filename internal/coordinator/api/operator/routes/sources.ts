import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { MANIFEST_LIMIT, MANIFEST_TYPE } from "../../../sources/source-store.ts";
import { holdOpen } from "../../runner-deps.ts";
import type { OperatorDeps } from "../deps.ts";
import { notFound, problem, unwrap } from "../problem.ts";
import { answers, DONE, done, problemAnswer } from "../schemas.ts";

const tags = ["sources"];
const digestParam = z.object({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hexadecimal digits"),
});
const bytes = (type: string) => ({
  required: true,
  content: { [type]: { schema: z.unknown().openapi({ type: "string", format: "binary" }) } },
});
const missing = z
  .looseObject({ error: z.string(), kind: z.string(), missing: z.array(z.string()) })
  .openapi("MissingBlobs");

const show = createRoute({
  method: "get",
  path: "/sources/{digest}",
  tags,
  summary: "The manifest of an uploaded source",
  request: { params: digestParam },
  responses: {
    200: { description: "The manifest, as it was uploaded", content: { "*/*": { schema: z.unknown() } } },
    default: problemAnswer,
  },
});
const putBlob = createRoute({
  method: "put",
  path: "/sources/blobs/{digest}",
  tags,
  summary: "Upload a blob; repeating it is fine",
  request: { params: digestParam, body: bytes("application/octet-stream") },
  responses: answers(done, "Stored"),
});
const putManifest = createRoute({
  method: "put",
  path: "/sources/{digest}",
  tags,
  summary: "Upload the manifest, after its blobs",
  request: { params: digestParam, body: bytes(MANIFEST_TYPE) },
  responses: {
    ...answers(done, "Stored"),
    409: { description: "Blobs to upload first", content: { "application/json": { schema: missing } } },
  },
});

export const UPLOAD_ROUTES = [show, putBlob, putManifest];

export function uploadRoutes(app: OpenAPIHono, { sources }: OperatorDeps): void {
  app.openapi(show, (c) => {
    const { digest } = c.req.valid("param");
    const stored = sources.manifest(digest);
    if (stored === null) throw notFound(`source ${digest}`);
    return new Response(stored.text, { headers: { "content-type": stored.mediaType } });
  });
  app.openapi(putBlob, async (c) => {
    // A large blob over a thin line is silent for longer than the server would wait.
    holdOpen(c);
    unwrap(await sources.putBlob(c.req.valid("param").digest, c.req.raw.body));
    return c.json(DONE, 200);
  });
  app.openapi(putManifest, async (c) => {
    const body = await readAtMost(c.req.raw.body, MANIFEST_LIMIT);
    if (body === null) throw problem(413, "usage", `the manifest is larger than ${MANIFEST_LIMIT} bytes`);
    const stored = unwrap(await sources.putManifest(c.req.valid("param").digest, body));
    if (stored.missing.length === 0) return c.json(DONE, 200);
    const error = `${stored.missing.length} blobs of the source have not been uploaded`;
    return c.json({ error, kind: "conflict", missing: [...stored.missing] }, 409);
  });
}

async function readAtMost(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of body ?? []) {
    total += chunk.byteLength;
    if (total > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
