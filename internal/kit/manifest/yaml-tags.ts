import type { ScalarTag, Tags } from "yaml";

/** Kinds of YAML 1.1 that kubectl does not have: dates, sexagesimal numbers and bytes stay the text they are. */
const UNKNOWN_TO_KUBECTL = [
  "tag:yaml.org,2002:timestamp",
  "tag:yaml.org,2002:binary",
  "tag:yaml.org,2002:omap",
  "tag:yaml.org,2002:pairs",
  "tag:yaml.org,2002:set",
];

/** `!!binary`: kubectl gives the decoded text. */
const binary: ScalarTag = {
  tag: "tag:yaml.org,2002:binary",
  default: false,
  resolve: (text) => Buffer.from(text, "base64").toString("utf8"),
};

/** Octal in the way of YAML 1.2, which kubectl takes too. */
const octal: ScalarTag = {
  tag: "tag:yaml.org,2002:int",
  default: true,
  format: "OCT2",
  test: /^[-+]?0o[0-7_]+$/,
  resolve: (text) => {
    const digits = text.replace(/^[-+]?0o|_/g, "");
    const value = BigInt(`0o${digits}`);
    return text.startsWith("-") ? -value : value;
  },
};

/** The tags of YAML 1.1 as kubectl has them (compared with kubectl 1.32 in a test). */
export function scalarTags(tags: Tags): Tags {
  const kept = tags.filter((tag) => {
    if (typeof tag === "string") return true;
    return !UNKNOWN_TO_KUBECTL.includes(tag.tag) && !("format" in tag && tag.format === "TIME");
  });
  return [octal, ...kept, binary];
}
