import { expect, test } from "bun:test";
import { networkOf } from "./rate.ts";

for (const [address, network] of [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
  ["::1", "0:0:0:0::/64"],
  ["unknown", "unknown"],
] as const) {
  test(`refusals of ${address} count for ${network}`, () => expect(networkOf(address)).toBe(network));
}
