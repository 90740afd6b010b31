import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { makeSigningKey } from "../internal/kit/signing/index.ts";
import { EXIT, RunnerError, reasonOf } from "../internal/protocol/errors.ts";
import { type Command, operand } from "./lib/context.ts";
import { signingKeyOf } from "./lib/signing-key.ts";

/** A new signing key into a file that must not be there; its public half to stdout. */
export const keysCreate: Command = async (context) => {
  const path = operand(context);
  const { text, jwk } = makeSigningKey();
  try {
    const fd = openSync(path, "wx", 0o600);
    writeSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
  } catch (cause) {
    throw new RunnerError("usage", `the key cannot be written: ${reasonOf(cause)}`, {
      remedy: "Give a file that is not there yet; a key is never written over.",
      cause,
    });
  }
  context.out(JSON.stringify({ keys: [jwk] }));
  context.say(`The signing key ${jwk.kid} is in ${path}; what stdout got is for runners (--trust-keys).`);
  return EXIT.done;
};

/** Public halves of signing keys. */
export const keysShow: Command = async (context) => {
  const keys = context.operands.map((path) => signingKeyOf(path).jwk);
  context.out(JSON.stringify({ keys }));
  return EXIT.done;
};
