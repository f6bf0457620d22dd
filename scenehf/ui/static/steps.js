// The list of step cards, front to back: selecting, ordering by drag or key, and how layers lie in the scene.

function stepsScreen({ onSelect, onAct, onTool, onLook, onCompare }) {
  const list = find(".shf-steps");
  const count = find(".shf-count");
  const add = find(".shf-add");
  const cards = new Map();
  const looks = new Map(); // key -> {hidden, opacity, dx, dy}: how the scene view draws a layer
  let selected = null;
  let alone = null; // the one layer shown, if any
  let view = null;
  let idle = false;
  let dragged = null;

  const layers = () => view.steps.filter((step) => step.action === "extract");
  const lastPlate = () => view.steps.findLast((step) => step.action === "plate");

  const on = {
    select: (key) => onSelect(key, true),
    act: onAct,
    tool: onTool,
    compare: onCompare,
    look(key, change) {
      looks.set(key, { ...looks.get(key), ...change });
      alone = null;
      changed();
    },
    solo(key) {
      alone = alone === key ? null : key;
      changed();
    },
  };

  function changed() {
    fill();
    onLook(scene());
  }

  /** How the scene is drawn now; the plate goes by the name "plate". */
  function scene() {
    const plate = lastPlate();
    const names = new Map(view.steps.map((step) => [step.key, step === plate ? "plate" : step.key]));
    const drawn = new Map();
    for (const [key, name] of names) drawn.set(name, { ...looks.get(key), ...(alone ? { hidden: key !== alone } : {}) });
    return drawn;
  }

  function fill() {
    const extractions = layers();
    const plate = lastPlate();
    const drawn = scene();
    for (const step of view.steps) {
      const file = view.scene && (step === plate ? view.scene.plate : step.layer);
      cards.get(step.key).fill({ ...step, download: file && file.download }, extractions.indexOf(step) + 1, view.photo, view.engine, {
        selected: step.key === selected,
        idle,
        others: extractions.filter((other) => other.key !== step.key),
        inScene: Boolean(view.scene && (step === plate || view.scene.layers.some((layer) => layer.key === step.key))),
        look: drawn.get(step === plate ? "plate" : step.key) || {},
        alone: alone === step.key,
      });
    }
    setText(count, extractions.length ? `${extractions.length} ${extractions.length === 1 ? "layer" : "layers"}, front to back` : "");
    add.hidden = !(idle && view.planned);
  }

  // --- order ---------------------------------------------------------------------------------------------------

  const order = () => [...list.children].map((row) => row.dataset.key).filter((key) => cards.get(key).node.dataset.action === "extract");

  function reorder() {
    const keys = order();
    if (keys.join() !== layers().map((step) => step.key).join()) onAct("reorder", { keys });
  }

  /** Move a layer by so many places among the layers. */
  function move(key, by) {
    const keys = layers().map((step) => step.key);
    const from = keys.indexOf(key);
    const to = from + by;
    if (!idle || from < 0 || to < 0 || to >= keys.length) return;
    keys.splice(to, 0, ...keys.splice(from, 1));
    onAct("reorder", { keys });
  }

  /** Bring `node` before `place` by moving the others: a node that is moved itself loses the pointer that drags it. */
  function settle(node, place) {
    const down = !place || node.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING;
    while (node.nextElementSibling !== place) {
      if (down) list.insertBefore(node.nextElementSibling, node);
      else list.insertBefore(node.previousElementSibling, node.nextElementSibling);
    }
  }

  function drag(card) {
    const { grip, node, key } = card;
    grip.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      grip.focus();
      grip.setPointerCapture(event.pointerId);
      dragged = key;
      node.classList.add("is-dragged");
    });
    grip.addEventListener("pointermove", (event) => {
      if (dragged !== key) return;
      const others = [...list.children].filter((row) => row !== node && row.dataset.action === "extract");
      const before = others.find((row) => event.clientY < row.getBoundingClientRect().top + row.offsetHeight / 2);
      const place = before || others.at(-1).nextElementSibling;
      if (place !== node) settle(node, place);
    });
    const drop = (keep) => () => {
      if (dragged !== key) return;
      dragged = null;
      node.classList.remove("is-dragged");
      if (keep) reorder();
      show();
    };
    grip.addEventListener("pointerup", drop(true));
    grip.addEventListener("pointercancel", drop(false));
    grip.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      move(key, by);
    });
  }

  function show() {
    const keys = new Set(view.steps.map((step) => step.key));
    for (const [key, card] of cards) {
      if (keys.has(key)) continue;
      card.node.remove();
      cards.delete(key);
    }
    view.steps.forEach((step, index) => {
      if (!cards.has(step.key)) {
        const card = newCard(step.key, on);
        cards.set(step.key, card);
        drag(card);
      }
      const { node } = cards.get(step.key);
      // Moving a node takes its focus away: only what lies elsewhere is moved, and never under a pointer that drags.
      if (!dragged && list.children[index] !== node) list.insertBefore(node, list.children[index] || null);
    });
    fill();
  }

  find(".shf-add-box").addEventListener("click", () => onTool("box", null));
  find(".shf-add-points").addEventListener("click", () => onTool("points", null));

  return {
    show(next, isIdle) {
      view = next;
      idle = isIdle;
      show();
    },
    select(key) {
      selected = key;
      if (view) fill();
    },
    /** Put the keyboard on a card and bring it into view. */
    focus(key) {
      const card = cards.get(key);
      if (!card) return;
      card.pick.focus({ preventScroll: true });
      card.node.scrollIntoView({ block: "nearest" });
    },
    move,
    moved: (key, dx, dy) => {
      looks.set(key, { ...looks.get(key), dx, dy });
      onLook(scene());
    },
    toggle: (key) => on.look(key, { hidden: !(looks.get(key) || {}).hidden }),
    clear() {
      cards.clear();
      looks.clear();
      list.replaceChildren();
      selected = alone = view = dragged = null;
      add.hidden = true;
    },
  };
}
