import { describe, expect, test } from "bun:test";
import { createRedactor, type Redactor } from "../../internal/kit/secrets/redactor.ts";
import { createRedactionStream, type Segment } from "../../internal/kit/secrets/stream.ts";
import { fuzz, type Random } from "./seeded.ts";

const encoder = new TextEncoder();
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

const SECRETS = [
  "hunter2!",
  "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
  'pa"ss\\wo/rd<&>%+= \t',
  "schlüssel-ключ-🔑-end",
  "abcd",
  "-----BEGIN KEY-----\nMIIEvQIBADANBg\n}\nkqhkiG9w0\n-----END KEY-----",
  "%25%25\\\\\\\\u0041",
];

/** Every form of a value that must never be seen, by its name. */
function formsOf(value: string): Array<[string, string]> {
  const json = JSON.stringify(value).slice(1, -1);
  const wholeJson = [...value]
    .map((char) => Array.from({ length: char.length }, (_, i) => `\\u${hex(char.charCodeAt(i), 4)}`).join(""))
    .join("");
  const percent = encodeURIComponent(value);
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const forms: Array<[string, string]> = [
    ["raw", value],
    ["with CRLF", value.replaceAll("\n", "\r\n")],
    ["JSON", json],
    ["JSON, HTML-safe", json.replace(/[<>&]/g, (char) => `\\u${hex(char.charCodeAt(0), 4)}`)],
    ["JSON, ASCII only", json.replace(/[^\0-\x7f]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)],
    ["JSON, all escaped", wholeJson],
    ["JSON, all escaped, upper case", wholeJson.replace(/\\u..../g, (unit) => `\\u${unit.slice(2).toUpperCase()}`)],
    ["URL", percent],
    ["URL, lower case", percent.replace(/%../g, (code) => code.toLowerCase())],
    ["form", form],
    ["URL, all escaped", [...encoder.encode(value)].map((byte) => `%${hex(byte, 2).toUpperCase()}`).join("")],
  ];
  return forms;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** The characters of the encoding that `value` alone decides, at each of the three places in a group of three. */
function base64Middles(value: string): Array<[string, (pad: string) => string]> {
  const bytes = Buffer.from(value);
  const list: Array<[string, (pad: string) => string]> = [];
  for (const shift of [0, 1, 2]) {
    for (const alphabet of ["base64", "base64url"] as const) {
      const encode = (pad: string) => Buffer.concat([Buffer.from(pad.slice(0, shift)), bytes]).toString(alphabet);
      list.push([`${alphabet} shifted by ${shift}`, encode]);
    }
  }
  return list;
}

function wrap(value: string, columns: number, feed: string): string {
  return value.match(new RegExp(`.{1,${columns}}`, "g"))?.join(feed) ?? value;
}

function streamed(
  redactor: Redactor,
  bytes: Uint8Array,
  cuts: readonly number[],
): { out: string; segments: Segment[] } {
  const stream = createRedactionStream(redactor);
  const segments: Segment[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    segments.push(...stream.push(bytes.subarray(from, cut)));
    from = cut;
    if (stream.held() > from) throw new Error("held is behind the input");
  }
  segments.push(...stream.end());
  return { out: text(Buffer.concat(segments.map((segment) => segment.bytes))), segments };
}

const AROUND: Array<[string, string]> = [
  ["", ""],
  ["token=", "\n"],
  ["é🔑", "✓ done\r\n"],
  ["h", "h"],
  ["a\\t", "\\n"],
];

describe("a registered secret never gets through", () => {
  for (const secret of SECRETS) {
    const redactor = createRedactor();
    redactor.register(secret);
    test(`${JSON.stringify(secret.slice(0, 24))} in every form, cut at every place`, () => {
      for (const [name, form] of formsOf(secret)) {
        for (const [before, after] of AROUND) {
          const bytes = encoder.encode(before + form + after);
          for (let cut = 0; cut <= bytes.length; cut++) {
            const { out, segments } = streamed(redactor, bytes, [cut]);
            if (out !== `${before}[redacted]${after}`) throw new Error(`${name} cut at ${cut}: ${out}`);
            expect(segments.at(-1)?.to ?? 0).toBe(bytes.length);
          }
        }
      }
    });

    test(`${JSON.stringify(secret.slice(0, 24))} in base64, at every alignment and wrapped at every column`, () => {
      for (const [name, encode] of base64Middles(secret)) {
        const whole = encode("xy");
        if (secret.length < 5 && !name.endsWith("by 0")) continue;
        for (let columns = 1; columns <= whole.length; columns++) {
          for (const feed of ["\n", "\r\n"]) {
            const given = `data: ${wrap(whole, columns, feed)}\n`;
            const out = redactor.redactText(given);
            const left = out.replace("data: ", "").replace("[redacted]", "").replace(/\s/g, "");
            // The characters shared with the neighbours and line breaks around the match may stay.
            if (!out.includes("[redacted]") || left.length > 6) throw new Error(`${name}, ${columns}: ${out}`);
          }
        }
        const wrapped = encoder.encode(`${wrap(whole, 7, "\n")}\nend`);
        const expected = text(redactor.redactBytes(wrapped));
        for (let cut = 0; cut <= wrapped.length; cut++) {
          expect(streamed(redactor, wrapped, [cut]).out).toBe(expected);
        }
      }
    });
  }

  test("byte by byte is the same as at once", () => {
    const redactor = createRedactor();
    redactor.register(...SECRETS);
    const all = SECRETS.flatMap((secret) => formsOf(secret).map(([, form]) => `<${form}>`)).join("\n");
    const bytes = encoder.encode(all);
    const cuts = Array.from({ length: bytes.length }, (_, at) => at);
    const { out } = streamed(redactor, bytes, cuts);
    expect(out).toBe(text(redactor.redactBytes(bytes)));
    expect(out.replaceAll("<[redacted]>\n", "")).toBe("<[redacted]>");
  });
});

describe("overlapping and nested secrets", () => {
  const cases: Array<[string, readonly string[], string, string]> = [
    ["overlapping", ["abcdef", "defghi"], "-abcdefghi-", "-[redacted]-"],
    ["nested", ["secret", "the secret word"], "see the secret word, secret", "see [redacted], [redacted]"],
    ["a chain", ["abab"], "xababababx", "x[redacted]x"],
    ["side by side", ["abcd"], "abcdabcd", "[redacted][redacted]"],
    ["a false start", ["aaab"], "aaaab aaa", "a[redacted] aaa"],
    ["the beginning of a longer one", ["pass", "password-long"], "password-lo", "[redacted]word-lo"],
  ];
  for (const [name, secrets, input, output] of cases) {
    test(`${name}: one marker for what hangs together, wherever it is cut`, () => {
      const redactor = createRedactor();
      redactor.register(...secrets);
      const bytes = encoder.encode(input);
      for (let first = 0; first <= bytes.length; first++) {
        for (let second = first; second <= bytes.length; second++) {
          expect(streamed(redactor, bytes, [first, second]).out).toBe(output);
        }
      }
    });
  }
});

describe("what is registered", () => {
  test("values under four characters are left alone and counted", () => {
    const redactor = createRedactor();
    expect(redactor.register("abc", "", null, undefined, "\n", "long enough")).toEqual({ tooShort: 1 });
    expect(redactor.redactText("abc long enough")).toBe("abc [redacted]");
  });

  test("a line of a multi-line value is masked alone from eight characters on, a brace is not", () => {
    const redactor = createRedactor();
    redactor.register('{\n  "key": "value-1"\n}\n');
    expect(redactor.redactText('{ "key": "value-1" }')).toBe("{ [redacted] }");
    expect(redactor.redactText('{\r\n  "key": "value-1"\r\n}')).toBe("[redacted]");
  });

  test("a value registered in mid-stream is masked from then on, also when its start is still kept back", () => {
    const redactor = createRedactor();
    redactor.register("topsecret");
    const stream = createRedactionStream(redactor);
    const parts = [stream.push(encoder.encode("a top"))];
    redactor.register("topmost");
    parts.push(stream.push(encoder.encode("most b")), stream.end());
    expect(text(Buffer.concat(parts.flat().map((segment) => segment.bytes)))).toBe("a [redacted] b");
  });

  test("without secrets chunks pass through uncopied", () => {
    const chunk = encoder.encode("plain");
    expect(createRedactionStream(createRedactor()).push(chunk)[0]?.bytes.buffer).toBe(chunk.buffer);
    expect(createRedactor().redactBytes(chunk)).toBe(chunk);
  });

  test("a very long value is masked as a whole", () => {
    const redactor = createRedactor();
    const long = Array.from({ length: 9_000 }, (_, at) => `${at}`).join("-");
    redactor.register(long);
    expect(redactor.redactText(`<${long}>`)).toBe("<[redacted][redacted][redacted]>");
  });

  test("many spellings of one place do not take for ever", () => {
    const redactor = createRedactor();
    redactor.register(`${"\\".repeat(60)}x`);
    expect(redactor.redactText("\\".repeat(400))).toBe("\\".repeat(400));
  });
});

test("random streams: cut anywhere equals not cut, and no form of a secret is left", () => {
  fuzz(1_500, (random) => {
    const secrets = Array.from({ length: 1 + random.int(4) }, () => randomSecret(random));
    const redactor = createRedactor();
    redactor.register(...secrets);
    const forms = secrets.flatMap((secret) => formsOf(secret).map(([, form]) => form));
    const bytes = Buffer.concat(Array.from({ length: 1 + random.int(12) }, () => randomPiece(random, forms)));
    const whole = redactor.redactBytes(bytes);
    const cuts = Array.from({ length: random.int(10) }, () => random.int(bytes.length + 1)).sort((a, b) => a - b);
    expect(streamed(redactor, bytes, cuts).out).toBe(text(whole));
    const out = text(whole);
    for (const form of forms)
      if (visible(out, form))
        throw new Error(`${JSON.stringify(form)} in ${JSON.stringify(out)}, secrets ${JSON.stringify(secrets)}`);
  });
});

/** In the text itself: not made of pieces of a marker. */
function visible(out: string, form: string): boolean {
  return out.split("[redacted]").some((clear) => clear.includes(form));
}

const ALPHABETS = ["ab", "abc%2\\u0", "[redact]", 'xyzé\n"/ +='];

function randomSecret(random: Random): string {
  const alphabet = [...random.pick(ALPHABETS)];
  const middle = Array.from({ length: 2 + random.int(8) }, () => random.pick(alphabet)).join("");
  // Line breaks at the ends do not belong to a secret.
  return `${alphabet[0]}${middle}${alphabet[1]}`;
}

function randomPiece(random: Random, forms: readonly string[]): Buffer {
  const kind = random.int(5);
  if (kind < 2) return Buffer.from(random.pick(forms));
  if (kind === 2) return Buffer.from(random.pick(forms).slice(random.int(4)));
  if (kind === 3) return Buffer.from(Array.from({ length: random.int(6) }, () => random.int(256)));
  const alphabet = [...random.pick(ALPHABETS)];
  return Buffer.from(Array.from({ length: random.int(10) }, () => random.pick(alphabet)).join(""));
}
