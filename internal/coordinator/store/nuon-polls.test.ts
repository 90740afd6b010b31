import { expect, test } from "bun:test";
import { createNuonPolls } from "./nuon-polls.ts";

test("a job the server ended keeps its runner busy until the loop of its group asks for work", () => {
  const polls = createNuonPolls(() => 0);
  polls.stopping("r", "deploy");
  polls.polled("r", "actions");
  polls.polled("other", "deploy");
  expect(polls.stoppingGroups("r")).toEqual(["deploy"]);
  polls.polled("r", "deploy");
  expect(polls.stoppingGroups("r")).toEqual([]);
});

test("a process that was started anew has nothing left of what stopped before", () => {
  let now = 10_000;
  const polls = createNuonPolls(() => now);
  polls.stopping("r", "deploy");
  now += 5_000;
  polls.aged("r", 6_000, false);
  polls.aged("r", 3_000, true);
  expect(polls.stoppingGroups("r")).toEqual(["deploy"]);
  polls.aged("r", 3_000, false);
  expect(polls.stoppingGroups("r")).toEqual([]);
});

test("a group nobody polls any more is forgotten, after a restart of the coordinator not at once", () => {
  let now = 1_000;
  const polls = createNuonPolls(() => now);
  expect(polls.polledWithin("r", { deploy: 1, sync: 1 }, 35_000)).toEqual(["deploy", "sync"]);
  now += 30_000;
  polls.polled("r", "sync");
  now += 10_000;
  expect(polls.polledWithin("r", { deploy: 1, sync: 1 }, 35_000)).toEqual(["sync"]);
});
