/**
 * A conversation on the page: opening it, asking, stopping, trying again. One answer runs at a time. Says to screen
 * readers exactly two things a turn: that an answer is being written, and the answer.
 */

import { randomId } from "./client.js";
import { button, byId } from "./dom.js";
import { explain, saysItDoesNotKnow } from "./words.js";

/** A longer answer is not read out whole: the visitor finds it in the log. */
const SPOKEN_CHARS_MAX = 400;

export class Chat {
  #client;
  #transcript;
  #hooks;
  #turn = null;
  #isOpen = false;

  /**
   * Hooks: `onSession(session)`, `onBusy(busy)`, `onAsked(text)`, `onFirstToken(ms)`, `onDone(event)`,
   * `onFree(questions)` once an answer has ended, and `offerLead(answer)` for one that does not know.
   */
  constructor(client, transcript, hooks) {
    this.#client = client;
    this.#transcript = transcript;
    this.#hooks = hooks;
  }

  get isBusy() {
    return this.#turn !== null;
  }

  /** Shows the visitor's latest conversation, or a fresh one. */
  async begin({ fresh = false } = {}) {
    this.stop();
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    try {
      const session = await this.#client.open({ fresh });
      this.#hooks.onSession(session);
      this.#show(session);
    } catch (error) {
      this.#isOpen = wasOpen;
      const notice = this.#transcript.addAnswer();
      this.#fail(notice, error, () => {
        notice.remove();
        this.begin({ fresh });
      });
    }
  }

  #show({ agent, messages }) {
    this.#isOpen = true;
    this.#transcript.clear();
    this.#transcript.setLanguage(agent.language);
    if (agent.greeting) this.#transcript.addAnswer(agent.greeting);
    this.#restore(messages);
    if (messages.length === 0) this.#transcript.addStarters(agent.starter_prompts, (prompt) => this.send(prompt));
    this.#transcript.toEnd();
  }

  #restore(messages) {
    let question = "";
    for (const { role, content, status } of messages) {
      if (role === "user") {
        question = content;
        this.#transcript.addQuestion(content);
      } else {
        const answer = this.#transcript.addAnswer(content);
        if (status === "partial") this.#unfinished(answer, UNFINISHED, question);
      }
    }
    if (messages.at(-1)?.role !== "user") return;
    this.#unfinished(this.#transcript.addAnswer(), "This was not answered.", question);
  }

  /** Whether `text` is on its way: not if it is empty, before there is a conversation, or while an answer runs. */
  send(text) {
    const content = text.trim();
    if (content === "" || !this.#isOpen || this.isBusy) return false;
    this.#transcript.removeStarters();
    this.#transcript.addQuestion(content);
    this.#hooks.onAsked(content);
    this.#ask(content, randomId(), this.#transcript.addAnswer());
    return true;
  }

  stop() {
    this.#turn?.abort();
  }

  /** Asks and shows what comes. The same `id` again is the same message: the server does not answer it twice. */
  async #ask(content, id, answer) {
    const turn = new AbortController();
    this.#begun(turn, answer);
    try {
      const start = performance.now();
      for await (const event of this.#client.ask(content, id, turn.signal)) {
        if (event.type === "token") {
          if (answer.text === "") this.#hooks.onFirstToken(performance.now() - start);
          answer.append(event.text);
        }
        if (event.type === "done") this.#finished(event, content, answer);
      }
    } catch (error) {
      answer.end();
      if (turn.signal.aborted) this.#stopped(answer, content);
      else this.#fail(answer, error, () => this.#ask(content, id, answer));
    } finally {
      if (this.#turn === turn) {
        this.#turn = null;
        this.#hooks.onBusy(false);
        this.#hooks.onFree(this.#transcript.questions);
      }
    }
  }

  #begun(turn, answer) {
    this.#turn = turn;
    answer.begin();
    this.#hooks.onBusy(true);
    say("Writing a reply");
  }

  #finished(event, content, answer) {
    answer.end();
    const remark = REMARKS[event.finish_reason] ?? (answer.text === "" ? "The assistant had nothing to say." : null);
    if (event.finish_reason === "cancelled") this.#unfinished(answer, UNFINISHED, content);
    else if (remark) answer.note(remark);
    else if (saysItDoesNotKnow(answer.text)) this.#hooks.offerLead(answer);
    say(spoken(answer.plainText || remark));
    this.#hooks.onDone(event);
  }

  #stopped(answer, content) {
    this.#unfinished(answer, "Stopped.", content);
    say("Stopped.");
  }

  /** What is stored cannot be continued: asking again is a new message. */
  #unfinished(answer, remark, question) {
    answer.note(remark, button("Ask again", () => this.send(question), "link-button"));
  }

  /** Says what went wrong and offers what can be done about it. */
  #fail(answer, error, retry) {
    const { text, retry: canRetry, wait = 0, resend, startOver } = explain(error);
    const again = () => {
      if (!this.isBusy && answer.isOnPage) retry();
    };
    const actions = [];
    if (canRetry) actions.push(answer.retryButton(again, wait));
    if (startOver) actions.push(button("New conversation", () => this.begin({ fresh: true })));
    answer.fail(text, ...actions);
    if (resend) addEventListener("online", again, { once: true });
  }
}

const UNFINISHED = "This answer was not finished.";

/** What there is to say of an answer that did not simply end. */
const REMARKS = {
  length: "The answer was cut at its longest allowed length.",
  content_filter: "The answer was held back by the model's content filter.",
};

function spoken(text) {
  return text.length <= SPOKEN_CHARS_MAX ? text : `Reply finished. ${text.slice(0, SPOKEN_CHARS_MAX / 2)}`;
}

/** To screen readers alone, when they have finished what they are saying. */
export function say(text) {
  byId("status").textContent = text;
}
