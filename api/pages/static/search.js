// Conveniences only: the page works without this script.
"use strict";

const collection = document.getElementById("collection");
const query = document.getElementById("q");

// Each collection has its own legs: load the form of the selected one.
collection.addEventListener("change", () => {
  const url = new URL("./", location.href);
  url.searchParams.set("collection", collection.value);
  if (query.value) url.searchParams.set("q", query.value);
  location.assign(url);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    query.select();
  }
});
