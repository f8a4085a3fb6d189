// Makes the elements of an answer, as the template ask.html does. Text becomes text nodes only.

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((one) => one !== null && one !== ""));
  return made;
}

export function failure(problem) {
  const made = element("section", "notice error", element("h2", "", title(problem.status)));
  made.setAttribute("role", "alert");
  if (problem.errors?.length) {
    const items = problem.errors.map((one) =>
      element("li", "", one.field ? element("code", "", one.field) : "", one.field ? ": " : "", one.message),
    );
    made.append(element("ul", "", ...items));
  } else {
    made.append(element("p", "", problem.detail ?? "The server gave no reason."));
  }
  return made;
}

function title(status) {
  if (status === 404) return "There is no such collection";
  return status === 422 || status === undefined ? "That question cannot be answered" : "Not available";
}

function link(part, { collection, question }) {
  const fields = { collection, id: part.id, q: question, from: "ask", start: part.start, end: part.end };
  return `document?${new URLSearchParams(fields)}#passage`;
}

function anchor(className, href, text) {
  const made = element("a", className, text);
  made.href = href;
  return made;
}

const percent = (share) => `${Math.round(share * 100)}%`;
const whole = (number) => Math.round(number).toLocaleString("en");

function doubtOf(citation) {
  const parts = citation.quotes.map((quote) => {
    const lacking = quote.missing.length ? `, but not ${quote.missing.join(", ")}` : "";
    const entailed = quote.entailment === null ? "" : `, and entails it with the probability ${quote.entailment.toFixed(2)}`;
    return `[${quote.number}] has ${percent(quote.support)} of its words${lacking}${entailed}`;
  });
  return `Not supported: ${parts.join("; ")}`;
}

// The nodes of the text. Offsets of citations count code points.
function pieces(reply, context) {
  const points = [...reply.text];
  const part = (start, end) => points.slice(start, end).join("");
  const nodes = [];
  let at = 0;
  const marker = (quote) => {
    const made = anchor("marker", link(quote, context), `[${quote.number}]`);
    made.title = `${quote.id}: ${quote.text}`;
    return made;
  };
  for (const citation of [...reply.citations].sort((a, b) => a.start - b.start)) {
    if (citation.start < at) continue;
    nodes.push(part(at, citation.start));
    const statement = part(citation.start, citation.end);
    if (citation.supported) {
      nodes.push(statement);
    } else {
      const doubt = element("span", "doubt", statement);
      doubt.title = doubtOf(citation);
      doubt.append(element("span", "unseen", " (not supported by its source)"));
      nodes.push(doubt);
    }
    at = citation.end;
    const quotes = new Map(citation.quotes.map((quote) => [quote.number, quote]));
    const markers = /^(?:\s?\[\d{1,6}\])+/.exec(part(at, at + 1000))?.[0] ?? "";
    for (const [, space, number] of markers.matchAll(/(\s?)\[(\d+)\]/g)) {
      const quote = quotes.get(Number(number));
      nodes.push(space, quote ? marker(quote) : `[${number}]`);
      quotes.delete(Number(number));
    }
    at += [...markers].length;
    for (const quote of quotes.values()) nodes.push(" ", marker(quote)); // Cited by words.
  }
  return [...nodes, part(at)];
}

function place(part) {
  const page = part.page === null ? [] : [`page ${part.page}`];
  const headings = part.headings.filter((heading, i) => i > 0 || heading !== part.title);
  return [...page, ...(headings.length ? [headings.join(" > ")] : [])].join(", ");
}

function source(one, context) {
  const made = [element("span", "number", `[${one.number}]`), " "];
  made.push(anchor("", link(one, context), one.title || one.id));
  const about = [one.title ? one.id : "", place(one)].filter((part) => part).join(" · ");
  if (about) made.push(" ", element("span", "quiet", about));
  return made;
}

function cited(reply, context) {
  const quotes = new Map();
  for (const quote of reply.citations.flatMap((one) => one.quotes)) {
    const own = quotes.get(quote.number) ?? new Map();
    quotes.set(quote.number, own.set(`${quote.start}-${quote.end}`, quote));
  }
  const items = [...reply.sources]
    .sort((a, b) => a.number - b.number)
    .filter((one) => quotes.has(one.number))
    .map((one) =>
      element("li", "", ...source(one, context), ...[...quotes.get(one.number).values()].map((quote) =>
        element("blockquote", "", anchor("", link(quote, context), quote.text)))),
    );
  return items.length ? element("ol", "sources", ...items) : null;
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function ledger(reply, context) {
  const sent = reply.sources.filter((one) => one.kind === "document");
  if (!sent.length && !reply.left_out.length) return null;
  const asked = (usage) => (usage ? usage.calls + usage.cache_hits : 0);
  // Stages before the answer, such as rewriting, do not count: they did not read the sources.
  const before = reply.stages.reduce((sum, stage) => sum + asked(stage.usage), 0);
  const unit = asked(reply.usage) > before ? "tokens" : "words";
  const items = sent.map((one) => {
    const about = `· rank ${one.ranks.join(", ")}, ${one.tokens} ${unit}${one.cut ? ", cut" : ""}`;
    return element("li", "", ...source(one, context), " ", element("span", "quiet", about));
  });
  for (const one of reply.left_out) {
    const noun = one.kind === "document" ? "passage" : "generated text";
    let why = context.words.left_out[one.reason];
    if (one.copy_of !== null) why = why.replace("a better passage", `${noun} ${one.copy_of}`);
    const name = one.kind === "document" ? anchor("", link(one, context), one.id) : `${noun} ${one.rank}`;
    const rank = one.kind === "document" ? `rank ${one.rank}, ` : "";
    items.push(element("li", "left-out", name, " ", element("span", "quiet", `${rank}left out: ${why}`)));
  }
  const written = reply.left_out.filter((one) => one.kind === "generated").length;
  const left = counted(reply.left_out.length - written, "passage") + (written ? ` and ${counted(written, "generated text")}` : "");
  const summary = `${counted(sent.length, "source")} sent, ${left} left out`;
  return element("details", "ledger", element("summary", "", summary), element("ol", "sources", ...items));
}

function cost(reply) {
  const { usage, timings } = reply;
  let spent = 0;
  for (const [stage, ms] of Object.entries(timings)) {
    if (stage !== "load" && stage !== "first_token") spent += ms;
  }
  let tokens = "no language model";
  let time = `${whole(spent)} ms`;
  if (usage.calls || usage.cache_hits) {
    tokens = `${whole(usage.prompt_tokens)} tokens read, ${whole(usage.completion_tokens)} written`;
    time += `, first words after ${whole(timings.first_token ?? 0)} ms`;
  }
  return `${reply.generator} · ${tokens} · ${time}`;
}

// What a step did that may have changed the query.
function searched(stage) {
  const shown = stage.reason || stage.queries.map((text) => `“${text}”`).join(", ");
  return `${stage.name} ${stage.status}${shown ? `: ${shown}` : ""}`;
}

// The question with misspelled words replaced, as a button that asks it.
function suggestion(reply, { instead }) {
  if (!reply.suggestion) return null;
  const button = element("button", "link", reply.suggestion);
  button.type = "button";
  button.addEventListener("click", () => instead(reply.suggestion));
  return element("p", "suggestion", "Did you mean ", button, "?");
}

// The filter that was read from the question, and a button that asks without the filter.
function readFilter(reply, { again }) {
  if (!reply.filter) return null;
  const button = element("button", "link", "Ask without this filter");
  button.type = "button";
  button.addEventListener("click", again);
  const read = element("code", "", JSON.stringify(reply.filter));
  return element("p", "searched quiet", "Searched only documents with ", read, ", as the question says. ", button);
}

function noAnswer(reply, words) {
  let why = words.no_answer[reply.reason] ?? reply.reason ?? "";
  if (reply.reason === "no sources" && reply.left_out.length) why = "no passage that was found could be sent";
  if (reply.confidence !== null) why += ` (estimated probability that they do: ${reply.confidence.toFixed(2)})`;
  return element("p", "notice abstained", element("strong", "", "No answer"), " ", reply.text, " ", element("span", "quiet", why));
}

// The elements below the question. context: {collection, question, words, again, instead}; `again`
// asks the question without the filter that was read from it, and `instead` asks another question.
export function answered(reply, context) {
  const made = [suggestion(reply, context)];
  if (reply.outcome === "no_answer") {
    made.push(noAnswer(reply, context.words));
  } else {
    made.push(element("p", "answer", ...pieces(reply, context)));
    for (const citation of reply.citations.filter((one) => !one.supported)) {
      made.push(element("p", "why-doubt", doubtOf(citation)));
    }
    if (!reply.citations.length) made.push(element("p", "quiet", "The answer cites no source."));
  }
  made.push(...reply.warnings.map((one) => element("p", "notice warning", one)));
  made.push(cited(reply, context));
  made.push(...reply.stages.map((one) => element("p", "searched quiet", searched(one))), readFilter(reply, context));
  for (const one of reply.sources.filter((two) => two.kind === "generated")) {
    const summary = element("summary", "", "Background that a model wrote, not a source");
    made.push(element("details", "background", summary, element("p", "", one.text)));
  }
  made.push(ledger(reply, context), element("p", "cost quiet", cost(reply)));
  return made.filter((one) => one !== null);
}
