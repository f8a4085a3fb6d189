// Shows answers while they are written, and keeps the conversation. The page works without this
// script. Text becomes text nodes only, never markup.
import { shortcut } from "./form.js";
import { answered, element, failure } from "./answer.js";

const form = document.getElementById("ask");
const question = document.getElementById("q");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
const turnList = document.getElementById("turns");
const problems = document.getElementById("problem");
const spoken = document.getElementById("spoken");
const words = JSON.parse(form.dataset.words);
const KEPT = 20; // Number of questions and answers that the page remembers.
const SENT = 5; // Number of earlier questions and answers that are sent with a question.
const STORE = "twindex.conversation";

let running = null; // The AbortController of the current answer.
let turns = []; // {question, text, reply}; `reply` is missing for turns that the server showed.

shortcut(question);

// -- the conversation --------------------------------------------------------------------------

function remember() {
  const value = { path: location.pathname, collection: form.collection.value, turns };
  try {
    sessionStorage.setItem(STORE, JSON.stringify(value));
  } catch {
    // No storage, or it is full: the conversation is lost when the page is left.
  }
}

function recall() {
  try {
    const value = JSON.parse(sessionStorage.getItem(STORE));
    const same = value?.path === location.pathname && value.collection === form.collection.value;
    return same ? value.turns : [];
  } catch {
    return [];
  }
}

function add(turn) {
  turns = [...turns, turn].slice(-KEPT);
  document.getElementById("conversation").hidden = false;
  question.placeholder = "Ask a follow-up question";
}

// Without the text of sources, which the page does not show.
function slim(reply) {
  const sources = reply.sources.map((one) => (one.kind === "document" ? { ...one, text: "" } : one));
  return { ...reply, sources };
}

const hidden = [...form.querySelectorAll("input[name=turn]")].map((one) => one.value);
for (const one of form.querySelectorAll("input[name=turn]")) one.remove();
for (let i = 0; i + 1 < hidden.length; i += 2) add({ question: hidden[i], text: hidden[i + 1] });
if (!hidden.length && !problems.childElementCount && !question.value) {
  for (const turn of recall().filter((one) => one.reply)) {
    add(turn);
    turnList.prepend(article(turn.question, turn.reply));
  }
}

document.getElementById("new").addEventListener("click", () => sessionStorage.removeItem(STORE));

form.collection.addEventListener("change", () => {
  const url = new URL("ask", location.href);
  url.searchParams.set("collection", form.collection.value);
  location.assign(url);
});

function article(asked, reply) {
  const made = element("article", `turn ${reply.outcome}`, element("h2", "", asked));
  const again = () => running || ask(asked, true);
  const instead = (text) => running || ask(text);
  const collection = form.collection.value;
  made.append(...answered(reply, { collection, question: asked, words, again, instead }));
  return made;
}

// -- one question ------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running && question.value.trim()) ask(question.value);
});
stop.addEventListener("click", () => running?.abort());

function body(asked, literal) {
  const fields = new FormData(form);
  const filter = fields.get("filter").trim();
  const reranker = fields.get("rerank");
  const rewriter = fields.get("rewrite");
  const background = fields.get("background");
  return {
    question: asked,
    stream: true,
    ...(fields.get("generator") && { generator: fields.get("generator") }),
    max_tokens: Number(fields.get("max_tokens")),
    context: { passages: Number(fields.get("passages")) },
    ...(background && { background }),
    ...(rewriter && { rewrite: rewriter === "none" ? false : rewriter }),
    search: {
      limit: Number(fields.get("limit")),
      parse_filters: !literal && !fields.get("literal"),
      suggest: true,
      ...(filter && { filter: JSON.parse(filter) }),
      ...(reranker && { rerank: { model: reranker } }),
    },
  };
}

// literal: true: no filter is read from the question.
async function ask(asked, literal = false) {
  problems.replaceChildren();
  document.getElementById("hint")?.remove();
  let given;
  try {
    given = body(asked, literal);
  } catch (error) {
    problems.replaceChildren(failure({ detail: `The condition on metadata is not JSON: ${error.message}` }));
    form.querySelector(".options").open = true;
    form.filter.focus();
    return;
  }
  const state = element("p", "quiet state", "Searching…");
  const text = element("p", "answer writing");
  const shown = element("article", "turn", element("h2", "", asked), text, state);
  turnList.prepend(shown);
  running = new AbortController();
  working(true);
  question.value = "";
  const writing = new Writing(text, state);
  try {
    const address = `v1/collections/${encodeURIComponent(form.collection.value)}/answer`;
    const earlier = turns.slice(-SENT);
    const before = earlier.length;
    const reply = await writing.read(await postWithTurns(address, given, earlier));
    const unsent = 2 * (before - earlier.length);
    if (unsent) reply.warnings.push(`the first ${unsent} turns no longer fit and are not sent`);
    shown.replaceWith(article(asked, reply));
    add({ question: asked, text: reply.text, reply: slim(reply) });
    remember();
    writing.end(reply);
  } catch (error) {
    text.classList.remove("writing");
    if (!writing.text) text.remove();
    if (error.name === "AbortError") {
      state.textContent = "Stopped. This question is not part of the conversation.";
      spoken.textContent = "Stopped.";
    } else {
      state.replaceWith(failure(error.problem ?? { detail: `The connection was lost (${error.message}).` }));
    }
    if (!question.value) question.value = asked;
  } finally {
    working(false);
    running = null;
  }
}

// While the turns leave no space for sources, removes the oldest from `earlier`.
async function postWithTurns(address, given, earlier) {
  for (;;) {
    const sent = earlier.flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.text },
    ]);
    try {
      return await post(address, JSON.stringify({ ...given, turns: sent }));
    } catch (error) {
      const crowded = error.problem?.errors?.some((one) => words.too_long.includes(one.field));
      if (!crowded || !earlier.length) throw error;
      earlier.shift();
    }
  }
}

async function post(address, sent) {
  const headers = { "Content-Type": "application/json" };
  const signal = running.signal;
  const response = await fetch(address, { method: "POST", headers, body: sent, signal });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({ detail: response.statusText }));
    throw Object.assign(new Error(problem.detail), { problem });
  }
  return response;
}

function working(on) {
  const within = document.activeElement === send || document.activeElement === stop;
  send.hidden = on;
  stop.hidden = !on;
  if (within) (on ? stop : question).focus();
}

// The text of an answer while it arrives.
class Writing {
  constructor(target, state) {
    this.target = target;
    this.state = state;
    this.text = "";
    this.said = 0; // Number of code points that a screen reader has got.
    spoken.textContent = "";
  }

  async read(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the answer is not complete");
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop();
      for (const one of events) {
        const name = /^event: ?(.*)$/m.exec(one)?.[1];
        const data = /^data: ?(.*)$/m.exec(one)?.[1];
        if (data === undefined) continue;
        const found = this.take(name, JSON.parse(data));
        if (found) return found;
      }
    }
  }

  // Returns the whole answer for the last event.
  take(name, data) {
    if (name === "sources") {
      const count = data.sources.filter((one) => one.kind === "document").length;
      this.state.textContent = count ? `Reading ${count} ${count === 1 ? "source" : "sources"}…` : "";
    } else if (name === "token") {
      this.state.textContent = "Writing…";
      this.text += data.text;
      this.target.append(data.text);
    } else if (name === "citation") {
      this.say(data.end);
    } else if (name === "error") {
      throw Object.assign(new Error(data.detail), { problem: data });
    } else if (name === "done") {
      return data;
    }
    return null;
  }

  // Passes the text up to a position to screen readers, whole statements at a time.
  say(end) {
    spoken.append([...this.text].slice(this.said, end).join(""));
    this.said = Math.max(this.said, end);
  }

  end(reply) {
    if (reply.outcome === "no_answer") spoken.textContent = `No answer. ${reply.text}`;
    else this.say(Infinity);
  }
}
