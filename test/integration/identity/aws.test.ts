import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TokenExchange } from "../../../internal/protocol/token-exchange.ts";
import { ACCOUNT, AWS, makeWorld, type World } from "./exchange-bed.ts";

let world: World;
let runnerId: string;
let other: string;
beforeAll(async () => {
  world = await makeWorld();
  runnerId = world.runner("one", `aws:arn:aws:iam::${ACCOUNT}:role/runner`);
  other = world.runner("other", `aws:arn:aws:iam::${ACCOUNT}:role/runner`);
});
afterAll(() => world.end());

const aws = (proof: string): TokenExchange => ({ cloud: "aws", kind: "aws-sts", proof });
/** Every case from an address of its own: nobody has to wait for another's refusals. */
let addresses = 0;
const ask = async (id: string, request: TokenExchange) => {
  world.told.length = 0;
  const outcome = await world.ask(id, request, `192.0.2.${++addresses}`);
  return [outcome, world.told.at(-1) ?? ""];
};

describe("a signed GetCallerIdentity", () => {
  test("of the role that is trusted gives a token, which opens this runner alone", async () => {
    const [outcome, who] = await ask(runnerId, aws(await world.awsProof(AWS.runner, { runnerId })));
    expect([outcome, who]).toEqual(["given", AWS.runner.arn]);
    expect(world.opens(world.tokens.at(-1) ?? "")).toBe(runnerId);
    const event = world.store.events.list({ after: 0, limit: 1, order: "newest", subject: runnerId })[0];
    expect(event).toMatchObject({ what: "token-exchanged", by: AWS.runner.arn, why: "from 192.0.2.1" });
  });

  test("counts once", async () => {
    const proof = await world.awsProof(AWS.runner, { runnerId: other });
    expect((await ask(other, aws(proof)))[0]).toBe("given");
    expect(await ask(other, aws(proof))).toEqual(["refused", "the proof was shown before"]);
    const url = new URL(proof);
    const turned = `${url.origin}/?${new URLSearchParams([...url.searchParams].reverse())}`;
    expect(await ask(other, aws(turned))).toEqual(["refused", "the proof was shown before"]);
  });

  for (const [name, identity, given] of [
    ["runner", `arn:aws:iam::${ACCOUNT}:role/team/runner`, "given"],
    ["runner", `arn:aws:sts::${ACCOUNT}:assumed-role/runner/i-0abc`, "given"],
    ["runner", `arn:aws:sts::${ACCOUNT}:assumed-role/runner/i-*`, "given"],
    ["runner", `arn:aws:sts::${ACCOUNT}:assumed-role/runner/i-0ab`, "refused"],
    ["dashed", `arn:aws:iam::${ACCOUNT}:role/runner-*`, "given"],
    ["runner", `arn:aws:iam::${ACCOUNT}:role/runner-*`, "refused"],
    ["longer", `arn:aws:iam::${ACCOUNT}:role/runner-*`, "refused"],
    ["dashed", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["longer", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["before", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["upper", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["elsewhere", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["china", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["user", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["user", `arn:aws:iam::${ACCOUNT}:user/runner`, "given"],
    ["runner", `arn:aws:iam::${ACCOUNT}:user/runner`, "refused"],
    ["root", `arn:aws:iam::${ACCOUNT}:role/runner`, "refused"],
    ["federated", `arn:aws:iam::${ACCOUNT}:user/runner`, "refused"],
  ] as const) {
    test(`by ${AWS[name].arn}, where ${identity} is trusted: ${given}`, async () => {
      const id = world.runner(`${name}-${addresses}`, `aws:${identity}`);
      const [outcome, why] = await ask(id, aws(await world.awsProof(AWS[name], { runnerId: id })));
      expect({ outcome, why }).toEqual({ outcome: given, why: expect.stringContaining(AWS[name].arn) });
    });
  }
});

describe("a request that was signed for somebody else, or is another, is refused", () => {
  const changed = (change: (url: URL) => void) => (proof: string) => {
    const url = new URL(proof);
    change(url);
    return url.href;
  };
  const set = (name: string, value: string) => changed((url) => url.searchParams.set(name, value));
  for (const [what, change, why] of [
    ["another host", changed((url) => (url.host = "evil.example.com")), "no host of AWS STS"],
    ["a host that looks like one", changed((url) => (url.host = "sts.amazonaws.com.evil.com")), "no host of AWS STS"],
    ["a bucket of AWS", changed((url) => (url.host = "sts.s3.amazonaws.com")), "no host of AWS STS"],
    ["a port", changed((url) => (url.port = "8443")), "no host of AWS STS"],
    ["this machine", changed((url) => (url.host = "127.0.0.1")), "no host of AWS STS"],
    ["plain http", (proof: string) => proof.replace("https:", "http:"), "no host of AWS STS"],
    ["a user in it", changed((url) => (url.username = "sts.amazonaws.com")), "more than a query"],
    ["another path", changed((url) => (url.pathname = "/x")), "more than a query"],
    ["a path that is folded", (proof: string) => proof.replace("/?", "/x/../?"), "no plain address"],
    ["a fragment", changed((url) => (url.hash = "x")), "more than a query"],
    ["a tab in it", (proof: string) => proof.replace("sts.", "st\ts."), "no plain address"],
    ["another action", set("Action", "AssumeRole"), "Action is not"],
    ["an action more", changed((url) => url.searchParams.append("Action", "AssumeRole")), "stands twice"],
    ["a parameter more", set("RoleArn", "x"), "does not belong there"],
    ["a prototype's name", set("constructor", "x"), "does not belong there"],
    ["another service", (proof: string) => proof.replace("%2Fsts%2F", "%2Fs3%2F"), "X-Amz-Credential is not"],
    ["a longer life", set("X-Amz-Expires", "3600"), "lasts too long"],
    ["fewer signed headers", set("X-Amz-SignedHeaders", "host"), "X-Amz-SignedHeaders is not"],
    [
      "headers more",
      set("X-Amz-SignedHeaders", "host;x-a;x-runner-audience;x-runner-id"),
      "X-Amz-SignedHeaders is not",
    ],
    ["another signature", set("X-Amz-Signature", "0".repeat(64)), "AWS does not accept the signature: 403"],
    ["another session", set("X-Amz-Security-Token", "x"), "AWS does not accept the signature: 403"],
    ["no address at all", () => "GetCallerIdentity", "no plain address"],
  ] as const) {
    test(what, async () => {
      world.asked.length = 0;
      const proof = change(await world.awsProof(AWS.runner, { runnerId }));
      expect(await ask(runnerId, aws(proof))).toEqual(["refused", expect.stringContaining(why)]);
      if (!why.startsWith("AWS does not accept")) expect(world.asked).toEqual([]);
    });
  }

  test("for another runner of this coordinator", async () => {
    const proof = await world.awsProof(AWS.runner, { runnerId: other });
    expect(await ask(runnerId, aws(proof))).toEqual(["refused", "AWS does not accept the signature: 403"]);
  });

  test("for another coordinator", async () => {
    const proof = await world.awsProof(AWS.runner, { runnerId, origin: "https://other.example.com" });
    expect(await ask(runnerId, aws(proof))).toEqual(["refused", "AWS does not accept the signature: 403"]);
  });

  test("a minute after its end, and from a clock that is ahead", async () => {
    const proof = await world.awsProof(AWS.runner, { runnerId });
    world.advance(125_000);
    expect(await ask(runnerId, aws(proof))).toEqual(["refused", "it is too old"]);
    world.advance(-125_000 - 65_000);
    expect(await ask(runnerId, aws(proof))).toEqual(["refused", "it was signed in the future"]);
    world.advance(65_000);
  });

  test("as the proof of another cloud", async () => {
    const proof = await world.awsProof(AWS.runner, { runnerId });
    expect((await ask(runnerId, { cloud: "gcp", kind: "aws-sts", proof }))[0]).toBe("refused");
    expect((await ask(runnerId, { cloud: "aws", kind: "jwt", proof }))[0]).toBe("refused");
  });

  test("where the runner trusts nobody, or is none: nothing is asked, and the answer is the same", async () => {
    world.asked.length = 0;
    const nobody = world.runner("trusts-nobody");
    const proofs = await Promise.all(
      [nobody, "run-of-nobody"].map((id) => world.awsProof(AWS.runner, { runnerId: id })),
    );
    expect(await ask(nobody, aws(proofs[0] ?? ""))).toEqual(await ask("run-of-nobody", aws(proofs[1] ?? "")));
    expect(world.asked).toEqual([]);
  });
});

describe("what AWS does not say clearly is no identity", () => {
  const place = "sts.eu-central-1.amazonaws.com/";
  const caller = (arn: string, account: string) =>
    Response.json({
      GetCallerIdentityResponse: { GetCallerIdentityResult: { Arn: arn, Account: account, UserId: "x" } },
    });
  for (const [what, answer, outcome] of [
    ["it is busy", () => new Response("slow down", { status: 503 }), "later"],
    ["a page", () => new Response("<html>sign in</html>"), "later"],
    ["a redirect", () => Response.redirect("https://evil.example.com/", 302), "later"],
    ["an answer without end", () => new Response("x".repeat(300_000)), "later"],
    ["an account that is not that of the ARN", () => caller(AWS.runner.arn, "999999999999"), "refused"],
    ["an ARN of two", () => caller(`${AWS.runner.arn}/more`, ACCOUNT), "refused"],
  ] as const) {
    test(what, async () => {
      world.answers.set(place, answer);
      const proof = await world.awsProof(AWS.runner, { runnerId });
      expect((await ask(runnerId, aws(proof)))[0]).toBe(outcome);
      world.answers.delete(place);
    });
  }
});

test("an endpoint of one's own stands for AWS where the coordinator was told so, and nowhere else", async () => {
  const endpoint = "https://sts.private.example.com";
  const own = await makeWorld({ stsEndpoint: endpoint, tokenLifeMs: 3_600_000 });
  try {
    const id = own.runner("private", `aws:arn:aws:iam::${ACCOUNT}:role/runner`);
    const proof = await own.awsProof(AWS.runner, { runnerId: id, endpoint });
    const given = await own.exchange.exchange(id, aws(proof), "192.0.2.1");
    if (!given.ok) throw new Error(own.told.join());
    expect(given.value.endsAt).toBe(own.store.clock.now() + 3_600_000);
    const elsewhere = await world.awsProof(AWS.runner, { runnerId, endpoint });
    expect(await ask(runnerId, aws(elsewhere))).toEqual(["refused", "sts.private.example.com is no host of AWS STS"]);
    const lookalike = await own.awsProof(AWS.runner, { runnerId: id, endpoint: `${endpoint}:444` });
    expect(await own.ask(id, aws(lookalike))).toBe("refused");
  } finally {
    await own.end();
  }
});
