import { join } from "node:path";
import { z } from "zod";

const text = z.record(z.string(), z.string());
const schema = z.object({
  operation: z.string(),
  note: z.string(),
  engine: z.string().optional(),
  request: z.object({
    method: z.string(),
    path: z.string(),
    headers: text.optional(),
    body: z.string().optional(),
    body_base64: z.string().optional(),
  }),
  response: z.object({
    status: z.number(),
    headers: text,
    body: z.string().optional(),
    body_base64: z.string().optional(),
  }),
});

/** One exchange with the real control plane, as it was on the wire. */
export type Recorded = z.infer<typeof schema>;

const FILE = join(import.meta.dir, "../recordings/nuon-server-examples.json.gz");

/** All 247, in the order of the file. */
export const RECORDED: readonly Recorded[] = z
  .array(schema)
  .parse(JSON.parse(new TextDecoder().decode(Bun.gunzipSync(await Bun.file(FILE).bytes()))));

/** The one exchange of an operation whose note begins so; `nth` where the recorder gave two of them the same note. */
export function recorded(operation: string, note: string, nth = 0): Recorded {
  const fitting = RECORDED.filter((one) => one.operation === operation && one.note.startsWith(note));
  const exact = fitting.filter((one) => one.note === note);
  const found = (exact.length > 0 ? exact : fitting)[nth];
  if (found === undefined) throw new Error(`no recording: ${operation} ${note}`);
  return found;
}

export const bodyOf = (part: {
  readonly body?: string | undefined;
  readonly body_base64?: string | undefined;
}): Buffer => (part.body_base64 === undefined ? Buffer.from(part.body ?? "") : Buffer.from(part.body_base64, "base64"));

/** The token that stands in the recordings: with it our requests can be compared as they are. */
export const TOKEN = "{runner_token}";
