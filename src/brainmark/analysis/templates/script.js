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
addEventListener("beforeprint", () => {
  for (const block of document.querySelectorAll("details")) block.open = true;
});
