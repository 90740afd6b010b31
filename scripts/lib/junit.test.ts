import { expect, test } from "bun:test";
import { readReport } from "./junit.ts";

test("the report counts every test once and names what failed or was skipped", () => {
  const xml = `<?xml version="1.0"?>
<testsuites tests="4"><testsuite name="a"><testsuite name="x">
  <testcase name="quoted &quot;q&quot; &lt;b&gt;" file="a.test.ts" />
  <testcase name="no browser" file="a.test.ts">
    <skipped />
  </testcase>
  <testcase name="broken" file="a.test.ts"><failure type="E" message="&lt;skipped /&gt;">at x</failure></testcase>
  <testcase name="last" file="b.test.ts" assertions="0"></testcase>
</testsuite></testsuite></testsuites>`;
  expect(readReport(xml)).toEqual({
    passed: ['a.test.ts: quoted "q" <b>', "b.test.ts: last"],
    failed: ["a.test.ts: broken"],
    skipped: ["a.test.ts: no browser"],
    failedFiles: new Set(["a.test.ts"]),
  });
});
