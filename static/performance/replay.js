// Asks the law check while somebody writes. Without it the answer is checked when it is handed in.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-replay]");
  if (!form) return;
  const text = form.elements.text, box = form.querySelector("[data-findings]");
  let timer = 0, asked = 0;
  const line = (finding) => {
    const item = document.createElement("p");
    item.className = "fc-note";
    const mark = document.createElement("span");
    mark.className = `fc-badge is-${finding.colour}`;
    mark.textContent = finding.label;
    const words = document.createElement("span");
    words.textContent = ` ${finding.title} ${finding.alternative || finding.message}`;
    item.append(mark, words);
    return item;
  };
  const check = async () => {
    const mine = ++asked;
    if (text.value.trim().length < 2) { box.replaceChildren(); return; }
    const body = new URLSearchParams({ text: text.value, csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    const answer = await fetch(form.dataset.check, { method: "POST", body, credentials: "same-origin" }).catch(() => null);
    if (!answer || !answer.ok || mine !== asked) return;
    const found = await answer.json();
    if (found.findings.length) { box.replaceChildren(...found.findings.map(line)); return; }
    const clean = document.createElement("p");
    clean.className = "fc-quiet";
    clean.textContent = box.dataset.clean;
    box.replaceChildren(clean);
  };
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 500); });
});
