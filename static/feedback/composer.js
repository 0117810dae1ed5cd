// The reply composer: templates, what the law says while one writes, who else is here, drafts that survive a reload.
// Without it the form still works: the server checks everything again.
(() => {
  "use strict";
  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-carry-copy]");
    if (!copy) return;
    const text = copy.parentElement.querySelector("[data-carry-text]");
    try { await navigator.clipboard.writeText(text.value); }
    catch { text.classList.remove("fc-hidden"); text.select(); document.execCommand("copy"); }
    copy.textContent = copy.dataset.done;
  });

  const form = document.querySelector("[data-composer]");
  if (!form) return;
  const box = form.elements.text, channel = form.elements.channel, picker = form.querySelector("[data-templates]");
  const findings = form.querySelector("[data-findings]"), others = form.querySelector("[data-others]");
  const length = form.querySelector("[data-length]");
  const token = form.elements.csrfmiddlewaretoken.value;
  const key = `fc-draft-${form.dataset.case}`;
  const keep = (value) => { try { value ? sessionStorage.setItem(key, value) : sessionStorage.removeItem(key); } catch { /* private mode */ } };
  const post = (url, values) =>
    fetch(url, { method: "POST", body: new URLSearchParams(values), headers: { "X-CSRFToken": token }, credentials: "same-origin" });

  // A draft lives until the server has answered: only a page that came back without it proves that it was sent.
  try {
    if (sessionStorage.getItem(`${key}-sent`)) {
      sessionStorage.removeItem(`${key}-sent`);
      if (!box.value) sessionStorage.removeItem(key);
    } else if (!box.value) box.value = sessionStorage.getItem(key) || "";
  } catch { /* private mode */ }

  const fitting = () => {
    if (!picker) return;
    [...picker.options].forEach((option) => { option.hidden = option.value !== "" && option.dataset.channel !== channel.value; });
    if (picker.selectedOptions[0]?.hidden) picker.value = "";
  };
  let asked = 0, timer = 0;
  const check = async () => {
    const mine = ++asked, text = box.value.trim();
    if (text.length < 4) { findings.replaceChildren(); return; }
    try {
      const answer = await post(form.dataset.check, { text, channel: channel.value });
      if (answer.ok && mine === asked) findings.innerHTML = await answer.text();
    } catch { /* the server looks again when it is sent */ }
  };
  let typed = 0;
  const written = () => {
    typed = Date.now();
    keep(box.value);
    length.textContent = box.value.length ? String(box.value.length) : "";
    clearTimeout(timer);
    timer = setTimeout(check, 500);
  };
  picker?.addEventListener("change", () => {
    const option = picker.selectedOptions[0];
    form.elements.template.value = option?.value || "";
    if (!option?.value) return;
    box.value = option.dataset.text;
    written();
    const gap = box.value.indexOf("〔");
    box.focus();
    if (gap >= 0) box.setSelectionRange(gap, box.value.indexOf("〕", gap) + 1);
  });
  channel.addEventListener("change", () => { fitting(); check(); });
  box.addEventListener("input", written);
  // "Use" in the knowledge base fills the composer; its form reloads the page, and the kept draft comes back.
  document.addEventListener("knowledge:use", (event) => {
    event.preventDefault();
    box.value = (box.value.trim() ? box.value.trimEnd() + "\n" : "") + event.detail;
    written();
  });
  form.addEventListener("submit", () => {
    try { sessionStorage.setItem(`${key}-sent`, "1"); } catch { /* private mode */ }
  });
  fitting();
  if (box.value) written();

  const beat = async () => {
    if (document.hidden) return;
    try {
      const answer = await post(form.dataset.presence, {
        seen: form.dataset.seen, ...(box.value.trim() && Date.now() - typed < 30000 ? { typing: "1" } : {}),
      });
      if (!answer.ok) return;
      const { lines } = await answer.json();
      others.hidden = !lines.length;
      others.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    } catch { /* offline: nobody can be seen */ }
  };
  beat();
  setInterval(beat, 15000);
  addEventListener("pagehide", () => {
    navigator.sendBeacon?.(form.dataset.presence, new URLSearchParams({ leave: "1", csrfmiddlewaretoken: token }));
  });
})();
