// Search a collection with a TypeScript client that is generated from the OpenAPI document.
//
// Needs: Node.js 20 and npm, and the address of a running service (`twindex serve FOLDER --port
//        8080`), but no model. If the service has a key, set API_KEY.
// Prints: the best hit, a quote of the answer, and the error for an invalid request. The collection
//         `example-typed` is deleted at the end.
//
// The types of all requests and replies are in `schema.d.ts`, which the third command writes:
//
//     cd examples/javascript
//     npm install
//     npm run generate -- http://127.0.0.1:8080/openapi.json
//     npx tsc
//     node build/typed.js http://127.0.0.1:8080

import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const key = process.env.API_KEY;
const client = createClient<paths>({
  baseUrl: process.argv[2],
  headers: key ? { "api-key": key } : {},
});
const params = { path: { collection: "example-typed" } };

await client.PUT("/v1/collections/{collection}", {
  params,
  body: { legs: { lexical: { kind: "lexical" } } },
});
try {
  const text = "The kiwi cannot fly. It lives in New Zealand.";
  await client.PUT("/v1/collections/{collection}/documents/{id}", {
    params: { path: { ...params.path, id: "kiwi" } },
    body: { title: "Kiwi", text },
  });
  const search = "/v1/collections/{collection}/search";
  const { data } = await client.POST(search, { params, body: { query: "kiwi" } });
  console.log(data?.hits[0]?.id, data?.hits[0]?.title);

  const answer = await client.POST("/v1/collections/{collection}/answer", {
    params,
    body: { question: "Where does the kiwi live?" },
  });
  // A stream would be a string.
  if (typeof answer.data === "object") console.log(answer.data.citations[0]?.quotes[0]?.text);

  const { error } = await client.POST(search, { params, body: { query: "kiwi", limit: 0 } });
  console.log(error?.detail);
} finally {
  await client.DELETE("/v1/collections/{collection}", { params });
}
