"use strict";
for (const button of document.querySelectorAll("button[data-copy]")) {
  const block = document.getElementById(button.dataset.copy);
  const status = button.parentElement.querySelector("[role=status]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent.trim() + "\n");
      status.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(block);
      status.textContent = "Selected: copy it with your keyboard.";
    }
  });
}
function sortBy(table, column, header) {
  const down = header.getAttribute("aria-sort") !== "descending";
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const value = (row) => parseFloat(row.cells[column].dataset.value);
  const known = (x) => !Number.isNaN(x);
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (known(x) !== known(y)) return known(x) ? -1 : 1; // what has no value stays below
    return known(x) ? (down ? y - x : x - y) : 0;
  });
  body.append(...rows);
}
for (const table of document.querySelectorAll("table.board")) {
  const headers = [...table.tHead.rows[1].cells];
  headers.slice(1).forEach((header, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.title = "Sort by " + (header.firstElementChild || header).textContent;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => sortBy(table, i + 1, header));
    header.append(button);
  });
}
addEventListener("beforeprint", () => {
  for (const block of document.querySelectorAll("details")) block.open = true;
});
