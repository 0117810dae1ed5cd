// The builder of a rule: event, conditions, actions. Writes JSON into the field; the server checks it.
(() => {
  "use strict";

  function el(tag, options, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(options || {})) {
      if (name === "text") node.textContent = value;
      else if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter(Boolean));
    return node;
  }

  function select(choices, value, label, act, multiple) {
    const chosen = new Set((Array.isArray(value) ? value : [value]).map(String));
    const known = new Set(choices.map(([code]) => String(code)));
    const node = el("select", { class: "fc-input", "aria-label": label, multiple: Boolean(multiple), size: multiple ? 5 : null });
    for (const code of chosen) {
      if (code && code !== "undefined" && !known.has(code)) {
        node.append(el("option", { value: code, selected: true, text: `${code} (${words.gone})` }));
      }
    }
    for (const [code, text] of choices) {
      node.append(el("option", { value: code, selected: chosen.has(String(code)), text }));
    }
    node.addEventListener("change", () => act(multiple ? [...node.selectedOptions].map((o) => o.value) : node.value));
    return node;
  }

  function button(text, act, danger) {
    return el("button", { type: "button", class: `fc-button is-small${danger ? " is-danger" : ""}`, text, on: { click: act } });
  }

  let words = {};

  function build(root) {
    const vocabulary = JSON.parse(document.getElementById("rule-words").textContent);
    words = vocabulary.words;
    const input = document.getElementById(root.dataset.input);
    let rule;
    try {
      rule = JSON.parse(input.value);
    } catch (error) {
      return;
    }
    const fields = new Map(vocabulary.fields.map((field) => [field.code, field]));
    const stage = el("div", { class: "fc-rule-stage" });
    root.append(stage);
    root.classList.add("is-built");

    const keep = () => {
      input.value = JSON.stringify(rule);
    };
    const draw = (focus) => {
      stage.replaceChildren(eventPart(), conditionPart(), actionPart());
      // Drawing fills in defaults.
      keep();
      const target = focus && stage.querySelector(focus);
      if (target) target.focus();
    };

    function paramInputs(params, values) {
      const box = el("div", { class: "fc-rule-params" });
      for (const param of params) {
        if (!(param.name in values) && param.default !== "") values[param.name] = param.default;
        const set = (value) => {
          if (value === "") delete values[param.name];
          else values[param.name] = value;
          keep();
        };
        let control;
        if (param.type === "choice") {
          const choices = param.choices.some(([code]) => code === "") ? param.choices : [["", words.choose], ...param.choices];
          control = select(choices, values[param.name] ?? "", param.label, set);
        } else if (param.type === "number") {
          control = el("input", { class: "fc-input", type: "number", step: "any", min: param.least, max: param.most, value: values[param.name], on: { input: (e) => set(e.target.value === "" ? "" : Number(e.target.value)) } });
        } else {
          control = el(param.type === "long" ? "textarea" : "input", { class: "fc-input", rows: param.type === "long" ? 3 : null, on: { input: (e) => set(e.target.value) } });
          control.value = values[param.name] ?? "";
        }
        box.append(el("label", {}, param.label, control));
      }
      return box;
    }

    function eventPart() {
      const known = vocabulary.events.find((event) => event.code === rule.event);
      const part = el("div", { class: "fc-rule-part" }, el("h4", { text: words.event }));
      part.append(
        select(vocabulary.events.map((event) => [event.code, event.label]), rule.event, words.event, (code) => {
          rule.event = code;
          rule.event_params = {};
          draw();
        }),
      );
      if (known && known.params.length) part.append(paramInputs(known.params, rule.event_params));
      return part;
    }

    // A group: {"all": […]}, {"any": […]} or, for "none", {"not": {"any": […]}}.
    const modeOf = (node) => ("not" in node ? "none" : "all" in node ? "all" : "any");
    const partsOf = (node) => ("not" in node ? node.not.any : node.all || node.any);
    const isGroup = (node) => "all" in node || "any" in node || ("not" in node && node.not && Array.isArray(node.not.any));
    const groupOf = (mode, parts) => (mode === "none" ? { not: { any: parts } } : { [mode]: parts });

    function conditionPart() {
      if (!rule.conditions || !Object.keys(rule.conditions).length) rule.conditions = { all: [] };
      if (!isGroup(rule.conditions)) rule.conditions = { all: [rule.conditions] };
      return el(
        "div",
        { class: "fc-rule-part" },
        el("h4", { text: words.conditions }),
        group(rule.conditions, (node) => { rule.conditions = node; }, null, 1),
      );
    }

    function group(node, replace, remove, depth) {
      const parts = partsOf(node);
      const box = el("div", { class: "fc-rule-group", role: "group", "aria-label": words.group });
      const head = el("div", { class: "fc-rule-head" });
      head.append(
        select([["all", words.all], ["any", words.any], ["none", words.none]], modeOf(node), words.group, (mode) => {
          replace(groupOf(mode, parts));
          draw();
        }),
      );
      if (remove) head.append(button(words.remove, remove, true));
      box.append(head);
      if (!parts.length && depth === 1) box.append(el("p", { class: "fc-quiet", text: words.always }));
      parts.forEach((part, index) => {
        const drop = () => {
          parts.splice(index, 1);
          draw();
        };
        box.append(isGroup(part) ? group(part, (fresh) => { parts[index] = fresh; }, drop, depth + 1) : line(part, drop));
      });
      const foot = el("div", { class: "fc-rule-head" });
      foot.append(
        button(words.addCondition, () => {
          const first = vocabulary.fields[0];
          parts.push({ field: first.code, op: first.ops[0][0], value: [] });
          draw();
        }),
      );
      if (depth < 3) {
        foot.append(
          button(words.addGroup, () => {
            parts.push({ any: [] });
            draw();
          }),
        );
      }
      box.append(foot);
      return box;
    }

    function line(leaf, drop) {
      const known = fields.get(leaf.field);
      const row = el("div", { class: "fc-rule-line" });
      row.append(
        select(vocabulary.fields.map((field) => [field.code, field.label]), leaf.field, words.field, (code) => {
          leaf.field = code;
          leaf.op = fields.get(code).ops[0][0];
          delete leaf.value;
          draw();
        }),
      );
      row.append(
        select(known ? known.ops : [], leaf.op, words.operator, (op) => {
          leaf.op = op;
          if (known && known.type === "number") delete leaf.value;
          draw();
        }),
      );
      row.append(known ? valueOf(known, leaf) : el("span", { class: "fc-quiet", text: words.gone }));
      row.append(button(words.remove, drop, true));
      return row;
    }

    function valueOf(known, leaf) {
      if (["empty", "filled", "yes", "no"].includes(leaf.op)) {
        delete leaf.value;
        return el("span");
      }
      const set = (value) => {
        leaf.value = value;
        keep();
      };
      if (known.type === "number") {
        const number = (at) =>
          el("input", {
            class: "fc-input", type: "number", step: "any", "aria-label": words.value,
            value: leaf.op === "between" ? (leaf.value || [])[at] : leaf.value,
            on: {
              input: (e) => {
                const typed = e.target.value === "" ? null : Number(e.target.value);
                if (leaf.op !== "between") return set(typed);
                const pair = Array.isArray(leaf.value) ? [...leaf.value] : [null, null];
                pair[at] = typed;
                return set(pair);
              },
            },
          });
        return leaf.op === "between" ? el("span", {}, number(0), " – ", number(1)) : number(0);
      }
      if (known.choices) return select(known.choices, leaf.value || [], words.value, set, true);
      const typed = el("input", {
        class: "fc-input", type: "text", placeholder: words.words, "aria-label": words.value,
        on: { input: (e) => set(e.target.value.split(/[,，、;；\n]+/).map((word) => word.trim()).filter(Boolean)) },
      });
      typed.value = (Array.isArray(leaf.value) ? leaf.value : leaf.value ? [leaf.value] : []).join("，");
      return typed;
    }

    function actionPart() {
      const part = el("div", { class: "fc-rule-part" }, el("h4", { text: words.actions }));
      rule.actions.forEach((step, index) => {
        step.params = step.params || {};
        const known = vocabulary.actions.find((action) => action.code === step.code);
        const box = el("div", { class: "fc-rule-action", role: "group", "aria-label": words.action });
        const head = el("div", { class: "fc-rule-head" });
        head.append(
          select(vocabulary.actions.map((action) => [action.code, action.label]), step.code, words.action, (code) => {
            rule.actions[index] = { code, params: {} };
            draw();
          }),
        );
        if (index) {
          head.append(
            button(words.up, () => {
              rule.actions.splice(index - 1, 0, ...rule.actions.splice(index, 1));
              draw();
            }),
          );
        }
        head.append(
          button(words.remove, () => {
            rule.actions.splice(index, 1);
            draw();
          }, true),
        );
        box.append(head);
        if (known && known.proposes) box.append(el("p", { class: "fc-quiet", text: words.proposes }));
        if (known && known.params.length) box.append(paramInputs(known.params, step.params));
        part.append(box);
      });
      part.append(
        button(words.addAction, () => {
          rule.actions.push({ code: vocabulary.actions[0].code, params: {} });
          draw();
        }),
      );
      return part;
    }

    draw();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-rule-builder]").forEach(build));
})();
