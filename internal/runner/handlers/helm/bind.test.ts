import { expect, test } from "bun:test";
import { differences, objectSums, volatileLines } from "./bind.ts";
import { type Rendering, renderingOf } from "./rendering.ts";

const map = (name: string, ...lines: string[]) =>
  `---\n# Source: web/templates/${name}.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
const rendered = (...maps: string[]): Rendering => renderingOf({ manifest: maps.join(""), hooks: [] }, "shop", "chart");
const bound = (rendering: Rendering, volatile = {}) => ({
  render: "server" as const,
  chart: "web-1",
  values_sha256: "v",
  revision: 1,
  objects: objectSums(rendering, volatile),
  volatile,
});
const NOW = { chart: "web-1", values_sha256: "v" };

test("an approval holds for the same rendering, in any order and from any template", () => {
  const plan = bound(rendered(map("a", "x: 1"), map("b", "x: 1")));
  const again = rendered(map("b", "x: 1").replace("templates/b.yaml", "templates/other.yaml"), map("a", "x: 1"));
  expect(differences(plan, again, NOW)).toEqual([]);
});

test("what differs from the approval is named", () => {
  const plan = bound(rendered(map("a", "x: 1"), map("b", "x: 1")));
  expect(
    differences(plan, rendered(map("a", "x: 2"), map("c", "x: 1")), { chart: "web-2", values_sha256: "w" }),
  ).toEqual([
    "the chart is web-2 and was web-1",
    "ConfigMap/shop/a differs",
    "ConfigMap/shop/b is missing",
    "ConfigMap/shop/c is new",
    "the values differ",
  ]);
});

test("lines that are random each time are left out, and no other line of their object is", () => {
  const volatile = volatileLines(rendered(map("a", "key: one", "x: 1")), rendered(map("a", "key: two", "x: 1")));
  const plan = bound(rendered(map("a", "key: one", "x: 1")), volatile);
  expect(differences(plan, rendered(map("a", "key: three", "x: 1")), NOW)).toEqual([]);
  expect(differences(plan, rendered(map("a", "key: three", "x: 2")), NOW)).toEqual(["ConfigMap/shop/a differs"]);
});
