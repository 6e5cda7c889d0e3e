/**
 * A model server that speaks OpenAI's chat API and does as the test says: answers, waits in mid-answer, fails, and tells when
 * widgetd hangs up.
 *
 *   model.always("The same to everyone.");
 *   model.next("To the next question, before what is said always.");
 *   model.next(["in ", "these ", "pieces"]);
 *   model.alwaysFails(503);                            // until it always says something again
 *   const answer = model.nextHolds("The beginning");   // then waits
 *   await answer.begun;                                // until the question is there and the beginning was sent
 *   answer.say(", more");  answer.finish(" and the end.");  // each as it is called
 *   await answer.hungUp;                               // until the other side has closed before the end
 */

import { createServer } from "node:http";

import { soon } from "./patience.mjs";

export async function startModel() {
  const questions = [];
  const waiting = [];
  const open = new Set();
  let usual = says(["Hello ", "from ", "the ", "scripted ", "model."]);

  const server = createServer(async (request, response) => {
    if (request.method === "GET") return response.end(JSON.stringify({ object: "list", data: [{ id: "scripted", object: "model" }] }));
    let body = "";
    for await (const chunk of request) body += chunk;
    const { messages } = JSON.parse(body);
    questions.push(messages.at(-1).content);
    const play = waiting.shift() ?? usual;
    play(response, messages.at(-1).content);
  });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    /** The last message of each request: what it was asked, and how often. */
    questions,
    always: (answer) => (usual = says(pieces(answer))),
    next: (answer) => waiting.push(says(pieces(answer))),
    alwaysFails: (status) => (usual = (response) => fail(response, status)),
    nextHolds(beginning = "") {
      const held = holding(pieces(beginning));
      waiting.push(held.play);
      return held.answer;
    },
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const pieces = (answer) => (typeof answer === "string" ? [answer] : answer);

const says = (words) => (response) => {
  begin(response);
  for (const word of words) say(response, word);
  finish(response);
};

function holding(beginning) {
  let response;
  let tellBegun;
  let tellHungUp;
  const begun = new Promise((resolve) => (tellBegun = resolve));
  const hungUp = new Promise((resolve) => (tellHungUp = resolve));
  const answer = {
    begun: soon(begun, "a question to the model"),
    get hungUp() {
      return soon(hungUp, "widgetd to hang up");
    },
    say: (text) => say(response, text),
    finish(text, reason) {
      if (text) say(response, text);
      finish(response, reason);
    },
  };
  // A test that ends early waits for none of them.
  answer.begun.catch(() => {});
  const play = (given) => {
    response = given;
    response.on("close", () => !response.writableFinished && tellHungUp());
    begin(response);
    for (const text of beginning) if (text) say(response, text);
    tellBegun();
  };
  return { play, answer };
}

function begin(response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.flushHeaders();
}

function send(response, choice, more = {}) {
  const chunk = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "scripted", choices: choice ? [choice] : [], ...more };
  response.write(`data: ${JSON.stringify(chunk)}\n\n`);
}

const say = (response, content) => send(response, { index: 0, delta: { content }, finish_reason: null });

function finish(response, reason = "stop") {
  send(response, { index: 0, delta: {}, finish_reason: reason });
  send(response, null, { usage: { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 } });
  response.end("data: [DONE]\n\n");
}

function fail(response, status) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ error: { message: "as the test wanted", type: "server_error", code: null } }));
}
