import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogReader } from "../../internal/kit/logs/reader.ts";
import { createRedactor } from "../../internal/kit/secrets/redactor.ts";
import { decodeLogsRequest, encodeLogsRequest } from "../../internal/protocol/otlp.ts";

/** Speed of the log pipeline's stages over the same 64 MiB; prints MB/s (10^6 bytes) of raw output, best of five. */
const SECRETS = [
  "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
  "AKIAIOSFODNN7EXAMPLE",
  "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  "correct horse battery staple",
  "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IkUo",
];
const CLEAN = "2026-11-21T15:00:00Z aws_instance.web[0]: Still creating... [10s elapsed] and some more text\n";
const BYTES = 64 * 1024 * 1024;

const clean = Buffer.alloc(BYTES, CLEAN);
const dirty = Buffer.alloc(BYTES, `${CLEAN.repeat(20)}token=${SECRETS[0]}\n`);
const folder = mkdtempSync(join(tmpdir(), "redactor-bench-"));
const none = createRedactor();
const five = createRedactor();
five.register(...SECRETS);

function report(name: string, work: () => void): void {
  const best = Math.min(...Array.from({ length: 5 }, () => timed(work)));
  console.log(`${name.padEnd(52)} ${(BYTES / 1e3 / best).toFixed(0).padStart(6)} MB/s`);
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function readAll(bytes: Buffer, redactor: typeof none): () => void {
  const path = join(folder, "output");
  return () => {
    const fd = openSync(path, "r");
    const reader = createLogReader({ fd, nonce: "bench", redactor });
    let position = 0;
    while (position < bytes.length) {
      const batch = reader.read(position, {
        end: bytes.length,
        closed: true,
        torn: false,
        partial: false,
        calm: false,
      });
      if (!batch) break;

      const records = batch.records.map(({ text, ...record }) => ({ ...record, body: text }));
      const request = encodeLogsRequest({ resource: {}, schemaUrl: "", scope: "oteljob", records });
      if (!decodeLogsRequest(request).ok) throw new Error("not decoded");
      position = batch.to;
    }
    closeSync(fd);
  };
}

function scanAll(bytes: Buffer, redactor: typeof none): () => void {
  return () => {
    for (let at = 0; at < bytes.length; at += 1 << 20) redactor.redactBytes(bytes.subarray(at, at + (1 << 20)));
  };
}

report("redact, no secrets", scanAll(clean, none));
report("redact, 5 secrets, clean text", scanAll(clean, five));
report("redact, 5 secrets, one hit in 2 KB", scanAll(dirty, five));
writeFileSync(join(folder, "output"), clean);
report("read, frame, encode, decode OTLP; no secrets", readAll(clean, none));
report("read, redact, frame, encode, decode OTLP; 5 secrets", readAll(clean, five));
rmSync(folder, { recursive: true });
