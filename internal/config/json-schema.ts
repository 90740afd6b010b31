import { JOB_GROUPS } from "../protocol/enums.ts";
import { allowedOf } from "./parse-value.ts";
import type { Setting } from "./setting.ts";
import { SETTING_NAMES, SETTINGS } from "./settings.ts";

type Json = Readonly<Record<string, unknown>>;

/** JSON Schema (2020-12) of the config file: editors complete and check it. The loader is stricter about ranges. */
export function configSchema(): Json {
  const properties = SETTING_NAMES.map((name) => [SETTINGS[name].flag, propertyOf(SETTINGS[name])] as const);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "runner configuration file",
    description: "YAML file of --config or RUNNER_CONFIG; the keys are the option names without their dashes.",
    type: "object",
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

function propertyOf(setting: Setting): Json {
  const meaning = `${setting.description} Allowed: ${allowedOf(setting)}. Variable: ${setting.env}.`;
  const preset = setting.default === undefined ? {} : { default: presetOf(setting, setting.default) };
  return { description: meaning, ...shapeOf(setting), ...preset };
}

function presetOf(setting: Setting, text: string): unknown {
  if (setting.type === "bool") return text === "true";
  return setting.type === "int" ? Number(text) : text;
}

function shapeOf(setting: Setting): Json {
  switch (setting.type) {
    case "bool":
      return { type: "boolean" };
    case "int":
      return { type: "integer", minimum: setting.min, maximum: setting.max };
    case "duration":
      return { type: "string", pattern: "^\\s*(\\d+(\\.\\d+)?(ms|s|m|h|d))+\\s*$" };
    case "bytes":
      return { type: "string", pattern: "^\\s*\\d+(\\.\\d+)?\\s*([KMGTP](iB|B)?|B)\\s*$" };
    case "enum":
      return { type: "string", enum: setting.values };
    case "url":
      return { type: "string", pattern: "^\\s*https?://" };
    case "place":
      return { type: "string", pattern: "^\\s*(https?:/)?/." };
    case "address":
      return { type: "string", pattern: ":\\d{1,5}\\s*$" };
    case "slots":
      return pairs([...JOB_GROUPS, "all"], { type: "integer", minimum: 0, maximum: 10_000 });
    case "labels":
      return pairs(null, { type: ["string", "number", "boolean"] });
    default:
      return { type: "string", minLength: 1 };
  }
}

/** A mapping, or `key=value` text with commas between, or a list of such texts. */
function pairs(keys: readonly string[] | null, value: Json): Json {
  const map = { type: "object", additionalProperties: value, ...(keys ? { propertyNames: { enum: keys } } : {}) };
  const text = { type: "string", pattern: "=" };
  return { anyOf: [map, text, { type: "array", items: text }] };
}
