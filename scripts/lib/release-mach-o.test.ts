import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { signMachO } from "./release-mach-o.ts";

const SIGNATURE_AT = 9_000;

/** A program as Bun lays it out: __TEXT, then __LINKEDIT with a signature at its end, which no longer fits. */
function program(): Buffer {
  const bytes = Buffer.alloc(SIGNATURE_AT + 40, "code");
  const words = [0xfeedfacf, 0x01000007, 3, 2, 3, 72 + 72 + 16, 0x200085, 0];
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, index * 4);
  const segment = (at: number, name: string, offset: number, size: number) => {
    bytes.fill(0, at, at + 72);
    bytes.writeUInt32LE(0x19, at);
    bytes.writeUInt32LE(72, at + 4);
    bytes.write(name, at + 8, "latin1");
    bytes.writeBigUInt64LE(16_384n, at + 32);
    bytes.writeBigUInt64LE(BigInt(offset), at + 40);
    bytes.writeBigUInt64LE(BigInt(size), at + 48);
  };
  segment(32, "__TEXT", 0, 8_192);
  segment(104, "__LINKEDIT", 8_192, SIGNATURE_AT + 40 - 8_192);
  for (const [index, word] of [0x1d, 16, SIGNATURE_AT, 40].entries()) bytes.writeUInt32LE(word, 176 + index * 4);
  return bytes;
}

describe("a program for macOS", () => {
  const before = program();
  const signed = signMachO(before);
  const [directory, hashes] = [SIGNATURE_AT + 20, SIGNATURE_AT + 20 + 94];

  test("gets a signature over every page of what comes before it, the last one too", () => {
    const pages = [0, 4_096, 8_192].map((at) => signed.subarray(at, Math.min(at + 4_096, SIGNATURE_AT)));
    const expected = pages.map((page) => createHash("sha256").update(page).digest("hex"));
    const found = pages.map((_, index) =>
      signed.subarray(hashes + index * 32, hashes + index * 32 + 32).toString("hex"),
    );
    expect(found).toEqual(expected);
    expect(signed.length).toBe(hashes + 3 * 32);
    expect([signed.readUInt32BE(directory + 28), signed.readUInt32BE(directory + 32)]).toEqual([3, SIGNATURE_AT]);
  });

  test("says where the signature ends, and is otherwise untouched", () => {
    const size = signed.length - SIGNATURE_AT;
    expect([signed.readUInt32LE(176 + 12), Number(signed.readBigUInt64LE(104 + 48))]).toEqual([size, 808 + size]);
    const restored = Buffer.from(signed.subarray(0, SIGNATURE_AT));
    before.copy(restored, 104 + 32, 104 + 32, 104 + 56);
    before.copy(restored, 176 + 12, 176 + 12, 176 + 16);
    expect(restored.equals(before.subarray(0, SIGNATURE_AT))).toBe(true);
  });

  test("signed again is the same", () => expect(signMachO(signed).equals(signed)).toBe(true));

  test("that is none, or has no place for a signature, is refused", () => {
    expect(() => signMachO(Buffer.from("#!/bin/sh\n"))).toThrow("no Mach-O program");
    const without = program();
    without.writeUInt32LE(2, 16);
    expect(() => signMachO(without)).toThrow("no place");
  });
});
