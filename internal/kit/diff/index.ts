/** What differs between two texts or values, and how it may be shown. */
export { type DiffLine, diffLines } from "./lines.ts";
export { maskedPair, secretValues } from "./mask.ts";
export { diffValues, isRecord, type ValueChange } from "./values.ts";
export { yamlLines } from "./yaml-lines.ts";
