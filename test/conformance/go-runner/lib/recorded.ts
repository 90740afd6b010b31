import { join } from "node:path";

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The first request of a scenario whose path ends so, with its complete headers in wire order. */
export async function recordedHeaders(scenario: string, pathEnd: string): Promise<Recorded> {
  const file = join(import.meta.dir, "../../recordings/nuon-examples.json.gz");
  const text = new TextDecoder().decode(Bun.gunzipSync(await Bun.file(file).bytes()));
  const scenarios = JSON.parse(text) as { name: string; exchanges: { request?: Recorded }[] }[];
  const exchanges = scenarios.find((one) => one.name === scenario)?.exchanges ?? [];
  const found = exchanges.find(({ request }) => request?.path.endsWith(pathEnd) && typeof request.headers === "object");
  if (!found?.request) throw new Error(`no such request in ${scenario}`);
  return found.request;
}
