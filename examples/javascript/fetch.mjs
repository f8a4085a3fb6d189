// Ask a collection from JavaScript: a search, and an answer as a stream with citations.
//
// Needs: Node.js 20 or a browser, and the address of a running service
//        (`twindex serve FOLDER --port 8080`), but no model. If the service has a key, set API_KEY.
//        In a browser, the service allows the page by its setting `cors_origins`.
// Prints: the best hit, the answer, and each cited statement with the ids of its sources. The
//         collection `example-fetch` is deleted at the end.
//
//     node examples/javascript/fetch.mjs http://127.0.0.1:8080

const url = process.argv[2];
const birds = `${url}/v1/collections/example-fetch`;
const headers = { "Content-Type": "application/json" };
if (process.env.API_KEY) headers["api-key"] = process.env.API_KEY;

async function call(method, address, body) {
  const reply = await fetch(address, { method, headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error((await reply.json()).detail); // problem details
  return reply;
}

// Yield [event, data] for each event of a stream of server-sent events.
async function* events(reply) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of reply.body) {
    rest += decoder.decode(piece, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith(":")) continue; // a comment, which keeps the connection open
      const [event, data] = block.split("\n").map((line) => line.slice(line.indexOf(" ") + 1));
      yield [event, JSON.parse(data)];
    }
  }
}

// Offsets count code points, and JavaScript's strings UTF-16 units.
const slice = (text, start, end) => [...text].slice(start, end).join("");

await call("PUT", birds, { legs: { lexical: { kind: "lexical" } } });
try {
  const text = "🥝 The kiwi cannot fly. It lives in New Zealand.";
  await call("PUT", `${birds}/documents/kiwi`, { title: "Kiwi", text });
  const found = await (await call("POST", `${birds}/search`, { query: "kiwi" })).json();
  console.log(found.hits[0].id, found.hits[0].title);

  const question = "Where does the kiwi live?";
  const reply = await call("POST", `${birds}/answer`, { question, stream: true });
  for await (const [event, data] of events(reply)) {
    if (event === "token") process.stdout.write(data.text);
    if (event === "error") throw new Error(data.detail);
    if (event !== "done") continue;
    console.log();
    for (const { start, end, quotes } of data.citations) {
      console.log(`  ${slice(data.text, start, end)} <- ${quotes.map((quote) => quote.id)}`);
    }
  }
} finally {
  await call("DELETE", birds);
}
