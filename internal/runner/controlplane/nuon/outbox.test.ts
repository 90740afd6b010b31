import { expect, test } from "bun:test";
import { quickClock } from "../../../../test/lib/quick-clock.ts";
import { ok } from "../../../protocol/errors.ts";
import { createOutbox, type Send } from "./outbox.ts";

const never = () => new AbortController().signal;

/** A write that ends when told to, or when its retries are ended. */
function heldWrite(name: string, arrived: string[]) {
  const release = Promise.withResolvers<void>();
  const send: Send = async (signal) => {
    const given = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => given.resolve());
    await Promise.race([release.promise.then(() => arrived.push(name)), given.promise]);
    return ok(null);
  };
  return { send, release: release.resolve };
}
const write =
  (name: string, arrived: string[]): Send =>
  async () => {
    arrived.push(name);
    return ok(null);
  };

test("writes arrive in order, one at a time", async () => {
  const arrived: string[] = [];
  const box = createOutbox(quickClock());
  await Promise.all(["a", "b", "c"].map((name) => box.put(name, write(name, arrived), 1_000)));
  expect(arrived).toEqual(["a", "b", "c"]);
});

test("a status that cannot be delivered gives way to the next one, a step does not", async () => {
  const arrived: string[] = [];
  const box = createOutbox(quickClock());
  const step = heldWrite("step", arrived);
  await box.put("step-1", step.send, 10);
  await box.put("status", write("initializing", arrived), 10);
  await box.put("status", write("in-progress", arrived), 10);
  step.release();
  await box.close(() => false, never());
  expect(arrived).toEqual(["step", "in-progress"]);
});

test("at the end waiting statuses are dropped and steps delivered", async () => {
  const arrived: string[] = [];
  const box = createOutbox(quickClock());
  const stuck = heldWrite("status", arrived);
  await box.put("status", stuck.send, 10);
  void box.put("step-1", write("step", arrived), 10);
  await box.close((key) => key === "status", never());
  expect(arrived).toEqual(["step"]);
});

test("the work waits for a write only as long as it is patient", async () => {
  const arrived: string[] = [];
  const box = createOutbox(quickClock());
  await box.put("status", heldWrite("status", arrived).send, 100);
  expect(arrived).toEqual([]);
});
