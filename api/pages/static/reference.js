// Sends the forms of the reference page and shows the replies as text, never as markup.
"use strict";

function address(form) {
  const parameters = new URLSearchParams();
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("[data-in]")) {
    if (input.dataset.in === "path") {
      path = path.replace(new RegExp(`{${input.name}(:path)?}`), encodeURIComponent(input.value));
    } else if (input.value) {
      parameters.set(input.name, input.value);
    }
  }
  const text = parameters.toString();
  // Relative to this page, because a proxy may serve it under a path.
  const relative = path.replace(/^\//, "");
  return text ? `${relative}?${text}` : relative;
}

function pretty(text, type) {
  if (!type.includes("json")) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function send(form) {
  const target = form.querySelector(".reply");
  const headers = {};
  const body = form.querySelector("textarea")?.value.trim();
  if (body) headers["Content-Type"] = form.dataset.mediaType;
  const key = document.getElementById("key").value;
  if (key) headers["Authorization"] = `Bearer ${key}`;
  const began = performance.now();
  try {
    const method = form.dataset.method;
    const response = await fetch(address(form), { method, headers, body: body || undefined });
    const text = await response.text();
    const took = (performance.now() - began).toFixed(1);
    const status = `${response.status} ${response.statusText} · ${took} ms`;
    const shown = [element("p", status, response.ok ? "status ok" : "status failed")];
    if (text) shown.push(element("pre", pretty(text, response.headers.get("content-type") ?? "")));
    target.replaceChildren(...shown);
  } catch (error) {
    target.replaceChildren(element("p", `No reply: ${error.message}`, "status failed"));
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

document.querySelector("form.key").addEventListener("submit", (event) => event.preventDefault());

// A link to an operation or a schema opens it.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}
addEventListener("hashchange", reveal);
reveal();

// A proxy may have changed the address of this page. Show the current one in the examples.
const original = document.querySelector(".reference").dataset.base;
const here = new URL("./", location.href).href.replace(/\/$/, "");
if (original !== here) {
  for (const example of document.querySelectorAll(".example pre")) {
    example.textContent = example.textContent.replaceAll(original, here);
  }
}
