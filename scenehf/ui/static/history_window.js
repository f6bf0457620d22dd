// A long list through a small window: rows of one height, placed over a spacer; only those in view are elements.

const ROW = 56; // CSS px, as in history.css
const SPARE = 8; // rows drawn above and below what is in view
const HURRY = 3; // rows between two frames from which on pictures wait until the list rests
const REST = 120; // ms without scrolling

/** scroller holds spacer. length(): rows in all; jobs(): those known, from the first on. onNeed(end): rows up to
 *  `end` are in view but not all of them are known. onDraw(): after each drawing. */
function windowList(scroller, spacer, { jobs, length, onNeed, onDraw }) {
  const rows = new Map(); // id -> row
  let active = null; // the id that the Tab key and the arrows start from
  let height = 0; // of the scroller
  let top = 0; // where it was scrolled to at the last drawing
  let frame = 0;
  let resting = 0;

  const holds = (row) => row.leave || row.node.contains(document.activeElement);

  /** Rows from `first` to before `end` are drawn. */
  function span() {
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - SPARE);
    return { first, end: Math.min(length(), Math.ceil((scroller.scrollTop + height) / ROW) + SPARE) };
  }

  function place(row, index) {
    if (row.index === index) return;
    row.index = index;
    row.node.style.transform = `translateY(${index * ROW}px)`;
    row.node.setAttribute("aria-rowindex", index + 1);
  }

  function draw(hurry = false) {
    const tall = `${length() * ROW}px`;
    if (spacer.style.height !== tall) {
      spacer.style.height = tall;
      scroller.setAttribute("aria-rowcount", length());
    }
    if (!height) return;
    top = scroller.scrollTop;
    const { first, end } = span();
    const known = jobs();
    const shown = known.slice(first, end);
    const wanted = new Set(shown.map((job) => job.id));
    const free = [];
    for (const [id, row] of rows) {
      if (wanted.has(id)) continue;
      const index = holds(row) ? indexOf(known, id) : -1;
      if (index >= 0) {
        place(row, index); // stays where it belongs, out of view, until what a person does in it is over
        continue;
      }
      if (row.leave) row.leave();
      if (row.node.contains(document.activeElement)) document.activeElement.blur(); // the row will be another job's
      rows.delete(id);
      free.push(row);
    }
    shown.forEach((job, offset) => {
      let row = rows.get(job.id);
      if (!row) {
        row = free.pop() || newRow();
        rows.set(job.id, row);
        if (!row.node.isConnected) spacer.append(row.node);
      }
      fillRow(row, job, hurry);
      place(row, first + offset);
    });
    for (const row of free) row.node.remove();
    rove(shown);
    if (end > known.length) onNeed(end);
    onDraw();
  }

  /** One row is reached by the Tab key: the active one, else the first in view. */
  function rove(shown) {
    const visible = shown[Math.max(0, Math.ceil(top / ROW) - span().first)];
    const stop = rows.has(active) ? active : visible && visible.id;
    for (const [id, row] of rows) {
      const index = id === stop ? 0 : -1;
      if (row.node.tabIndex === index) continue;
      row.node.tabIndex = index;
      for (const button of row.node.querySelectorAll("button")) button.tabIndex = index;
    }
  }

  /** Put the elements in the order of the list, for readers and the Tab key; the one with the focus stays where it is. */
  function settle() {
    draw();
    const ordered = [...rows.values()].sort((a, b) => a.index - b.index);
    const fixed = ordered.findIndex((row) => row.node.contains(document.activeElement));
    ordered.forEach((row, index) => {
      if (fixed >= 0 && index < fixed) spacer.insertBefore(row.node, ordered[fixed].node);
      else if (index !== fixed && spacer.children[index] !== row.node) spacer.insertBefore(row.node, spacer.children[index] || null);
    });
  }

  function scrolled() {
    if (!frame) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        draw(Math.abs(scroller.scrollTop - top) > HURRY * ROW);
      });
    }
    clearTimeout(resting);
    resting = setTimeout(settle, REST);
  }

  scroller.addEventListener("scroll", scrolled, { passive: true });
  const sized = new ResizeObserver(() => {
    if (!element.isConnected) return sized.disconnect();
    const before = height;
    height = scroller.clientHeight;
    if (height && !before) scroller.scrollTop = top; // a hidden tab forgets how far it was scrolled
    if (height) settle();
  });
  sized.observe(scroller);

  return {
    draw,
    settle,
    span,
    row: (id) => rows.get(id),
    get active() {
      return active;
    },
    set active(id) {
      active = id;
    },
    /** Scroll so that the row is wholly in view, draw it and give it the focus. */
    focus(index) {
      const job = jobs()[Math.max(0, Math.min(index, jobs().length - 1))];
      if (!job) return;
      const at = indexOf(jobs(), job.id) * ROW;
      if (at < scroller.scrollTop) scroller.scrollTop = at;
      else if (at + ROW > scroller.scrollTop + height) scroller.scrollTop = at + ROW - height;
      active = job.id;
      draw();
      if (rows.has(job.id)) rows.get(job.id).node.focus({ preventScroll: true });
    },
    /** Run `change`, which changes jobs(), and keep what is in view where it is. */
    steady(change) {
      const index = Math.ceil(scroller.scrollTop / ROW);
      const job = jobs()[index];
      const looked = scroller.scrollTop > 0 || scroller.matches(":hover") || scroller.contains(document.activeElement);
      change();
      const now = job && looked ? indexOf(jobs(), job.id) : -1;
      const tall = `${length() * ROW}px`;
      if (now >= 0 && now !== index) {
        spacer.style.height = tall;
        scroller.scrollTop += (now - index) * ROW;
      }
      draw();
    },
  };
}

/** Where the job is in a list whose ids fall; -1 if it is not there. */
function indexOf(jobs, id) {
  const index = placeOf(jobs, id);
  return jobs[index] && jobs[index].id === id ? index : -1;
}

/** Where it is or would be. */
function placeOf(jobs, id) {
  let low = 0;
  let high = jobs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (jobs[middle].id > id) low = middle + 1;
    else high = middle;
  }
  return low;
}
