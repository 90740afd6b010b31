import { describe, expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderOf } from "../../../../test/lib/handler-harness.ts";
import { mayBeVolatile } from "./volatile.ts";

const rows: readonly (readonly [what: string, files: Readonly<Record<string, string>>, volatile: boolean])[] = [
  ["of plain values", { "templates/a.yaml": "a: {{ .Values.a | quote }}\n", "README.md": "now, rand" }, false],
  ["whose notes only say so in words", { "templates/NOTES.txt": "You can now visit {{ .Values.host }}" }, false],
  ["with random values", { "templates/a.yaml": "a: {{ .Values.a | default (randAlphaNum 8) | quote }}\n" }, true],
  ["with the time", { "templates/_helpers.tpl": '{{- define "t" -}}\n{{ now | date "2006" }}{{ end }}' }, true],
  ["with a certificate over several lines", { "templates/a.yaml": "{{- $ca :=\n  genCA\n  `x` 10 }}\n" }, true],
  ["with a packed chart inside", { "charts/sub-1.0.0.tgz": "packed" }, true],
];

describe("whether a chart may render differently each time", () => {
  test.each([...rows])("%s, as a folder and packed", async (_what, files, volatile) => {
    const folder = folderOf({ "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", ...files });
    const packed = join(mkdtempSync(join(tmpdir(), "packed-")), "chart.tgz");
    expect(Bun.spawnSync(["tar", "-czf", packed, "-C", folder, "."]).success).toBe(true);
    expect([await mayBeVolatile(folder), await mayBeVolatile(packed)]).toEqual([volatile, volatile]);
  });

  test("one that cannot be read may", async () => {
    const folder = folderOf({ "chart.tgz": "no gzip" });
    expect(await mayBeVolatile(join(folder, "chart.tgz"))).toBe(true);
  });
});
