import type { JSX } from "preact";
import type { Result } from "../../../protocol/errors.ts";
import type { JobShow } from "../../../protocol/operator.ts";
import { useSession } from "../context.ts";
import { Confirm } from "../parts/confirm.tsx";
import { navigate, urls } from "../router.tsx";
import { lossWords } from "./plan-text.ts";

export type Action = "cancel" | "retry" | "approve" | "reject";

interface AskProps {
  readonly action: Action;
  readonly job: JobShow;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

interface Question {
  readonly title: string;
  readonly text: string;
  readonly button: string;
  readonly tone: "primary" | "danger";
  readonly askWhy?: string;
  readonly done: string;
}

const QUESTIONS: Record<Action, Question> = {
  cancel: {
    title: "Cancel it?",
    text: "A tool that runs is asked to stop and gets time to save its state. This is final.",
    button: "Cancel the job",
    tone: "danger",
    askWhy: "Reason (optional, shown in the timeline)",
    done: "Cancelled.",
  },
  retry: {
    title: "Run it again?",
    text: "The same work is queued once more, with the same inputs.",
    button: "Retry",
    tone: "primary",
    done: "Queued again.",
  },
  approve: {
    title: "Approve this plan?",
    text: "Exactly this plan is applied as soon as a runner is free.",
    button: "Approve and apply",
    tone: "primary",
    askWhy: "Note (optional, shown in the timeline)",
    done: "Approved.",
  },
  reject: {
    title: "Reject this plan?",
    text: "Nothing is applied. The change ends here.",
    button: "Reject",
    tone: "danger",
    askWhy: "Reason (optional, shown in the timeline)",
    done: "Rejected.",
  },
};

/** Every decision about a job is asked once more, in words that say what will happen. */
export function AskJob({ action, job, onClose, onDone }: AskProps): JSX.Element {
  const { operations, announce } = useSession();
  const question = QUESTIONS[action];
  const loss = action === "approve" ? lossWords(job.diff) : null;
  const finish = (answer: Result<unknown>) => {
    if (answer.ok) {
      announce(question.done);
      onDone();
    }
    return answer;
  };
  const run = async (why: string) => {
    if (action === "cancel") return finish(await operations.cancelJob(job.id, why));
    if (action === "approve") return finish(await operations.approve(job.id, why));
    if (action === "reject") return finish(await operations.reject(job.id, why));
    const answer = await operations.retryJob(job.id);
    if (answer.ok && answer.value.job !== job.id) navigate(urls.job(answer.value.job));
    return finish(answer);
  };
  return (
    <Confirm
      title={question.title}
      action={question.button}
      tone={question.tone}
      {...(question.askWhy ? { askWhy: question.askWhy } : {})}
      onConfirm={run}
      onClose={onClose}
    >
      <p>
        <strong>{job.name || job.id}</strong>
      </p>
      <p>{question.text}</p>
      {loss === null ? null : <p class="notice warn">{loss}</p>}
    </Confirm>
  );
}
