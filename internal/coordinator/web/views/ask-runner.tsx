import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Result } from "../../../protocol/errors.ts";
import type { RunnerDoc } from "../../../protocol/operator.ts";
import { rotateToken } from "../api/estate.ts";
import { useSession } from "../context.ts";
import { count } from "../format.ts";
import { Confirm, Modal } from "../parts/confirm.tsx";
import { type Identity, RunnerToken } from "./runner-token.tsx";

export interface AskedRunner {
  readonly what: "drain" | "rotate" | "delete";
  readonly runner: RunnerDoc;
}

interface AskProps {
  readonly asked: AskedRunner;
  readonly onClose: () => void;
  readonly onDone: (what: AskedRunner["what"]) => void;
}

/** Every act on a runner is asked once more, in words that say what will happen. */
export function AskRunner({ asked, onClose, onDone }: AskProps): JSX.Element {
  const { operations, announce } = useSession();
  const { what, runner } = asked;
  const run = async (work: Promise<Result<unknown>>, done: string) => {
    const answer = await work;
    if (answer.ok) {
      announce(done);
      onDone(what);
    }
    return answer;
  };
  if (what === "rotate") return <AskRotate runner={runner} onClose={onClose} onDone={() => onDone(what)} />;
  if (what === "drain") {
    return (
      <Confirm
        title={`Drain ${runner.name}?`}
        action="Drain"
        tone="primary"
        onConfirm={() => run(operations.drainRunner(runner.id), `${runner.name} is draining.`)}
        onClose={onClose}
      >
        <p>It takes no new jobs, finishes what runs, and then stops. To have it back, start it again.</p>
      </Confirm>
    );
  }
  return (
    <Confirm
      title={`Delete ${runner.name}?`}
      action="Delete"
      tone="danger"
      onConfirm={() => run(operations.deleteRunner(runner.id), `${runner.name} is deleted.`)}
      onClose={onClose}
    >
      <p>Its token stops working at once. Jobs and logs stay.</p>
      {runner.session && runner.session.busy > 0 ? (
        <p>
          <strong>It is working on {count(runner.session.busy, "job")} right now.</strong> Drain it first to let them
          finish.
        </p>
      ) : null}
    </Confirm>
  );
}

interface RotateProps {
  readonly runner: RunnerDoc;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Asks, and then shows the new token the only time it can be seen. */
function AskRotate({ runner, onClose, onDone }: RotateProps): JSX.Element {
  const { api } = useSession();
  const isDone = useRef(false);
  const [made, setMade] = useState<(Identity & { readonly token: string }) | null>(null);
  if (made !== null) {
    return (
      // Escape does not close this one: the token cannot be shown again.
      <Modal key="token" title={`New token of ${runner.name}`} onClose={() => {}}>
        <RunnerToken identity={made} onClose={onClose} />
      </Modal>
    );
  }
  const rotate = async (): Promise<Result<unknown>> => {
    const answer = await rotateToken(api, runner.id);
    if (answer.ok) {
      isDone.current = true;
      setMade({ ...answer.value, name: runner.name });
      onDone();
    }
    return answer;
  };
  return (
    <Confirm
      title={`New token for ${runner.name}?`}
      action="Make a new token"
      tone="danger"
      onConfirm={rotate}
      // The dialog gives way to the one with the token.
      onClose={() => isDone.current || onClose()}
    >
      <p>
        The old token stops working at once: a runner that still has it is refused and ends. Jobs it works on go on once
        it is started with the new one.
      </p>
    </Confirm>
  );
}
