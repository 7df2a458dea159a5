// The only way into the document: text as text, and rows that stay where they are when only a number in them changes.
export const find = (id) => document.getElementById(id);

export function set(element, text) {
  const wanted = String(text ?? "");
  if (element.textContent !== wanted) element.textContent = wanted;
}

// Text of an element that is there only while it has some.
export function show(element, text) {
  set(element, text);
  element.hidden = !text;
}

// A copy of a template and its named parts.
export function copied(name) {
  const element = find(name).content.cloneNode(true).firstElementChild;
  const parts = {};
  for (const part of element.querySelectorAll("[data-at]")) parts[part.dataset.at] = part;
  if (element.dataset.at) parts[element.dataset.at] = element;
  return { element, parts };
}

// Rows of a list by their keys: made once, filled each time, in the order of the items.
export class Rows {
  #rows = new Map();

  constructor(parent, template, key) {
    Object.assign(this, { parent, template, key });
  }

  draw(items, fill) {
    const wanted = new Map(items.map((item) => [this.key(item), item]));
    for (const [key, row] of this.#rows) {
      if (!wanted.has(key)) {
        row.element.remove();
        this.#rows.delete(key);
      }
    }
    let place = this.parent.firstElementChild;
    for (const [key, item] of wanted) {
      let row = this.#rows.get(key);
      if (!row) {
        row = copied(this.template);
        this.#rows.set(key, row);
      }
      if (row.element === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.element, place);
      fill(row.parts, item, row);
    }
  }

  values() {
    return this.#rows.values();
  }
}

// The width of a bar, as a share of 1.
export function fill(element, share) {
  const width = `${Math.round(1000 * Math.min(1, Math.max(0, share || 0))) / 10}%`;
  if (element.style.width !== width) element.style.width = width;
}
