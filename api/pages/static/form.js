// What the forms of all pages do.

// The browser does not show what is wrong in a closed part of a form: open it.
document.addEventListener(
  "invalid",
  (event) => {
    for (let part = event.target.closest("details"); part; ) {
      part.open = true;
      part = part.parentElement.closest("details");
    }
  },
  true,
);

// The key "/" leads to the main field.
export function shortcut(field) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.select();
    }
  });
}
