// The page works without this: it only saves a click and a reach for the mouse.
"use strict";

const collection = document.getElementById("collection");
const query = document.getElementById("q");

// Other collections have other legs: show the form for the chosen one.
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

// On a phone the hits come first, and the options are folded.
if (matchMedia("(max-width: 40rem)").matches) document.querySelector(".options").open = false;
