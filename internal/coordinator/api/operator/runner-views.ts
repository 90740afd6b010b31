import type { RunnerDoc } from "../../../protocol/operator.ts";
import { expectedVersion } from "../../../protocol/runner-wishes.ts";
import type { KnownRunner } from "../../store/runner-registry.ts";
import type { Store } from "../../store/store.ts";
import { gpusInUse } from "../../store/views.ts";
import { at, atOrNull } from "./job-views.ts";

export function runnerView(store: Store, runner: KnownRunner): RunnerDoc {
  const { row, session } = runner;
  return {
    id: row.id,
    name: row.name,
    labels: { ...runner.labels },
    created_at: at(row.created_at),
    contact: store.runners.contact(runner),
    last_contact_at: atOrNull(store.runners.lastContact(runner)),
    draining: row.draining === 1,
    expected_version: expectedVersion(runner.wishes),
    session:
      session === null
        ? null
        : {
            instance_id: session.row.instance_id,
            dialect: session.row.dialect,
            mode: session.row.mode,
            version: session.row.version,
            started_at: at(session.row.started_at),
            inventory: session.inventory,
            slots: { ...session.slots },
            busy: store.sql.openOfRunner.all(row.id).filter((execution) => execution.lost_at === null).length,
            gpus_in_use: gpusInUse(store, row.id),
          },
  };
}
