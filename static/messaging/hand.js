// Copies the text of an element; where the browser does not let pages do that, selects it instead.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(source);
    if (document.execCommand("copy")) button.textContent = button.dataset.done;
  }
});
