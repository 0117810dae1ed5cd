// The queue and the case by keyboard, and the one-click correction. Everything here is also reachable without it.
(() => {
  "use strict";

  const rows = () => [...document.querySelectorAll("[data-row]")];
  const here = () => document.activeElement?.closest?.("[data-row]") || document.querySelector("[data-row].is-here");

  const go = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(here());
    const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    all.forEach((one) => one.classList.toggle("is-here", one === row));
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    try { sessionStorage.setItem("fc-row", row.dataset.row); } catch { /* private mode */ }
  };

  const act = (name) => {
    const row = here() || rows()[0];
    row?.querySelector(`[data-act="${name}"]`)?.click();
  };

  const quick = document.querySelector("[data-quick-dialog]");
  const openQuick = (button) => {
    const form = quick.querySelector("form");
    form.action = button.dataset.quick;
    quick.querySelector("[data-quick-name]").textContent = button.dataset.name;
    quick.querySelector("[data-quick-text]").textContent = button.dataset.text;
    quick.querySelector("[data-quick-full]").href = button.dataset.full;
    quick.querySelector("[data-quick-confirm]").hidden = !button.dataset.doubt;
    form.querySelector("select").value = "";
    for (const name of ["tier", "sentiment"]) {
      form.querySelectorAll(`button[name="${name}"]`).forEach((one) => {
        const present = one.value === button.dataset[name];
        one.disabled = present;
        one.setAttribute("aria-pressed", String(present));
      });
    }
    quick.showModal();
    // Not on the first tier: a stray Enter would change the case.
    quick.querySelector("h2").focus();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-quick]");
    if (button && quick) openQuick(button);
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.closest("[data-keys-open]")) document.querySelector("[data-keys]")?.showModal();
  });
  // A menu that pops up closes with Escape and with a click beside it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.fc-pop[open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.fc-pop[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  const typing = (node) =>
    node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)) && node.type !== "checkbox";

  const follow = (selector) => {
    const node = document.querySelector(selector);
    if (!node) return false;
    if (typing(node)) node.focus();
    else node.click();
    return true;
  };

  // Single letters can be switched off, for those who speak to their computer (WCAG 2.1.4).
  const letters = () => { try { return localStorage.getItem("fc-keys") !== "off"; } catch { return true; } };
  document.querySelectorAll("[data-keys-switch]").forEach((box) => {
    box.checked = letters();
    box.addEventListener("change", () => {
      try { localStorage.setItem("fc-keys", box.checked ? "on" : "off"); } catch { /* private mode */ }
    });
  });

  const QUEUE = {
    j: () => go(1),
    k: () => go(-1),
    o: () => act("open"),
    c: () => act("claim"),
    e: () => act("correct"),
    x: () => (here() || rows()[0])?.querySelector('input[name="id"]')?.click(),
    "/": () => document.querySelector('.fc-search input')?.focus(),
    r: () => follow("[data-new]:not([hidden])") || location.reload(),
  };
  const VERBS = { c: "claim", r: "record_contact", w: "wait", s: "resolve" };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]") || !letters()) return;
    const key = event.key;
    const queue = document.querySelector("[data-queue]");
    let done = true;
    if (key === "?") document.querySelector("[data-keys]")?.showModal();
    else if (key === "z") done = follow('[data-key="z"]');
    else if (queue && key === "Enter" && event.target.matches?.("[data-row]")) act("open");
    else if (queue && QUEUE[key]) QUEUE[key]();
    else if (!queue && VERBS[key]) done = follow(`[data-verb="${VERBS[key]}"]`);
    else if (!queue && /^[a-z]$/.test(key)) done = follow(`[data-key="${key}"]`);
    else done = false;
    if (done) event.preventDefault();
  });

  // Back from a case, the row worked on is where the eye left it.
  const last = (() => { try { return sessionStorage.getItem("fc-row"); } catch { return null; } })();
  if (last && document.querySelector("[data-queue]")) {
    document.querySelector(`[data-row="${CSS.escape(last)}"]`)?.classList.add("is-here");
  }
})();
