import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Nuon's description, made into what go-swagger reads, as their SDK was made of theirs. */
const DESCRIPTION = join(import.meta.dir, "../conformance/recordings/nuon-runner-api.json.gz");

/** Writes `swagger.json` of the runner API into a folder. */
export function writeSwagger(folder: string): void {
  const source = new TextDecoder().decode(Bun.gunzipSync(readFileSync(DESCRIPTION)));
  writeFileSync(join(folder, "swagger.json"), JSON.stringify(toSwagger2(JSON.parse(source))));
}

type Json = Readonly<Record<string, unknown>>;
const entriesOf = (value: unknown): [string, Json][] => Object.entries((value ?? {}) as Record<string, Json>);
const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value : []);

/** Statuses whose bodies a generated reader knows; every other one is an error without a model (1.7). */
const MODELLED = ["200", "201", "400", "401", "403", "404", "500"];

/** OpenAPI 3.1 to Swagger 2.0, as far as this one document goes. */
function toSwagger2(document: Json): Json {
  const { schemas, responses } = document.components as { schemas: Json; responses: Json };
  const answer = (given: Json): Json => {
    const name = String(given.$ref ?? "")
      .split("/")
      .at(-1);
    const found = name ? (responses[name] as Json) : given;
    const [type, content] = entriesOf(found.content)[0] ?? [];
    if (!content) return { description: "" };
    return { description: "", schema: type === "text/plain" ? { type: "string" } : schemaOf(content.schema) };
  };
  const operation = (given: Json): Json => {
    const [type, body] = entriesOf((given.requestBody as Json | undefined)?.content)[0] ?? [];
    return {
      operationId: given.operationId,
      tags: ["runner"],
      parameters: [
        ...listOf(given.parameters).map(({ name, in: where, required = false, schema }) => {
          return { name, in: where, required, type: schemaOf(schema).type ?? "string" };
        }),
        ...(body
          ? [{ name: "body", in: "body", schema: type === "application/json" ? schemaOf(body.schema) : {} }]
          : []),
      ],
      responses: Object.fromEntries(
        entriesOf(given.responses)
          .filter(([status]) => MODELLED.includes(status))
          .map(([status, response]) => [status, answer(response)]),
      ),
    };
  };
  return {
    swagger: "2.0",
    info: { title: "runner API", version: "1" },
    consumes: ["application/json"],
    produces: ["application/json"],
    securityDefinitions: { token: { type: "apiKey", in: "header", name: "Authorization" } },
    security: [{ token: [] }],
    paths: mapped(document.paths, (methods) => mapped(methods, operation)),
    definitions: mapped(schemas, schemaOf),
  };
}

const mapped = (of: unknown, to: (value: Json) => Json): Json =>
  Object.fromEntries(entriesOf(of).map(([key, value]) => [key, to(value)]));

function schemaOf(given: unknown): Json {
  const schema = (given ?? {}) as Json;
  if (typeof schema.$ref === "string") return { $ref: schema.$ref.replace("#/components/schemas/", "#/definitions/") };
  const [only, ...others] = listOf(schema.allOf ?? schema.anyOf ?? schema.oneOf).filter(({ type }) => type !== "null");
  if (only) return others.length === 0 ? schemaOf(only) : {};
  const [type] = [schema.type].flat().filter((one) => one !== "null");
  const { properties, additionalProperties: more } = schema;
  return {
    ...(type === undefined ? {} : { type }),
    ...(typeof schema.format === "string" ? { format: schema.format } : {}),
    ...(schema.contentEncoding === "base64" ? { format: "byte" } : {}),
    ...(Array.isArray(schema.enum) ? { enum: schema.enum.filter((one) => one !== null) } : {}),
    ...(type === "array" ? { items: schemaOf(schema.items) } : {}),
    ...(properties ? { type: "object", properties: mapped(properties, schemaOf) } : {}),
    ...(more !== undefined && !properties
      ? { additionalProperties: typeof more === "object" ? schemaOf(more) : more }
      : {}),
  };
}
