import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOutbound } from "../../../internal/coordinator/identity/outbound.ts";
import { makePki } from "../../lib/pki.ts";

const folder = mkdtempSync(join(tmpdir(), "outbound-"));
let server: ReturnType<typeof Bun.serve>;
let ca: string;
let url: string;
let reached = 0;
beforeAll(() => {
  const pki = makePki(folder);
  const { cert, key } = pki.issue("issuer");
  ca = readFileSync(pki.ca, "utf8");
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: Bun.file(cert), key: Bun.file(key) },
    fetch(request) {
      reached += 1;
      const { pathname } = new URL(request.url);
      if (pathname === "/silent") return new Promise<Response>(() => {});
      if (pathname === "/slow") return new Response(new ReadableStream({ start: (c) => c.enqueue("{") }));
      if (pathname === "/elsewhere") return Response.redirect(`${server.url}keys`, 302);
      return Response.json({ keys: [] });
    },
  });
  url = `https://127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.stop(true);
  rmSync(folder, { recursive: true, force: true });
});

describe("an issuer", () => {
  test("with a certificate of a private authority is believed when that is named, and not else", async () => {
    expect(await createOutbound(ca)(`${url}/keys`)).toEqual({ ok: true, value: { status: 200, json: { keys: [] } } });
    const stranger = await createOutbound(null)(`${url}/keys`);
    expect(stranger).toEqual({ ok: false, error: expect.stringContaining("does not answer") });
  });

  for (const path of ["/silent", "/slow"]) {
    test(`that is ${path.slice(1)} is not waited for`, async () => {
      const said = await createOutbound(ca, fetch, 300)(`${url}${path}`);
      expect(said).toEqual({ ok: false, error: expect.stringContaining("does not answer") });
    });
  }

  test("that sends us elsewhere is not followed", async () => {
    reached = 0;
    const said = await createOutbound(ca)(`${url}/elsewhere`);
    expect(said).toEqual({ ok: false, error: expect.stringContaining("redirects") });
    expect(reached).toBe(1);
  });

  for (const address of ["http://127.0.0.1:1/keys", "file:///etc/passwd", "https://u:p@127.0.0.1/", "keys"]) {
    test(`is never asked at ${address}`, async () => {
      let sent = false;
      const send = () => {
        sent = true;
        return Promise.resolve(new Response());
      };
      expect(await createOutbound(null, send)(address)).toMatchObject({ ok: false });
      expect(sent).toBe(false);
    });
  }
});
