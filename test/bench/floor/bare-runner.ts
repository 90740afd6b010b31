export {};

/** Claims up to `count` jobs at a time from bare-server.ts and reports them as done. Arguments: address, count. */
const [url = "", count = "1"] = process.argv.slice(2);
for (;;) {
  const answer = await fetch(`${url}/claim?count=${count}`, { method: "POST" });
  const work = await answer.json();
  await (await fetch(`${url}/done`, { method: "POST", body: JSON.stringify(work) })).json();
}
