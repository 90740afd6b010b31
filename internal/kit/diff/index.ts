/** What differs between two texts or values, and how it may be shown. */
export { diffLines } from "./lines.ts";
export { maskedPair, secretValues } from "./mask.ts";
export { diffValues, isRecord } from "./values.ts";
export { yamlLines } from "./yaml-lines.ts";
