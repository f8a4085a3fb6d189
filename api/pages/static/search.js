// Conveniences only: the page works without this script.
import { shortcut } from "./form.js";

const collection = document.getElementById("collection");
const query = document.getElementById("q");

// Each collection has its own legs: load the form of the selected one.
collection.addEventListener("change", () => {
  const url = new URL(collection.form.action);
  url.searchParams.set("collection", collection.value);
  if (query.value) url.searchParams.set("q", query.value);
  location.assign(url);
});

shortcut(query);
