"use strict";
// <gaze-portrait src="FOLDER" smoothing="0.12">: a portrait that looks at the pointer, a finger, or back at you while
// the phone tilts. Pictures come through <img>, the rest through <script> tags, because a page that was opened from a
// disk may not fetch. So FOLDER has to be one that you would also load a script from.
{
  const LARGEST_SHEET = 4096; // px a side: of larger ones browsers keep nothing decoded and stutter
  const MOST_PIXELS = 128 * 512 * 512; // of decoded cells, all portraits of the page together: 134 MB
  const LEAK = 2; // px on every side of a sheet's cell that take colour from its neighbours, by how WebP packs
  const AT_ONCE = 4; // cells being decoded
  const AHEAD = 4; // frames whose cells are decoded before they are due
  const FRAME = 1000 / 60; // ms
  const FOLLOW = 0.12; // of the way that is left, per frame
  const KEY_STEP = 0.1; // of the way from the centre to an edge
  const TILT_RANGE = 25; // degrees of the phone from the centre to an edge
  const IDLE_AFTER = 3000; // ms without input before the small glances begin
  const GLANCE = 0.12; // how far they go
  const ARRIVED = 0.002; // when the way left is that short, the drawing rests

  const LABEL = "Portrait that looks at the pointer. The arrow keys turn it.";
  const LOOK = `
    :host { display: block; position: relative; touch-action: none; -webkit-tap-highlight-color: transparent; }
    [hidden] { display: none !important; }
    canvas, img, ::slotted(img) { display: block; width: 100%; height: auto; max-height: 100%; object-fit: contain; }
    canvas, img, ::slotted(img) { user-select: none; -webkit-user-select: none; -webkit-touch-callout: none; }
    canvas:focus { outline: none; }
    canvas:focus-visible { outline: 2px solid Highlight; outline-offset: 2px; }
    button { position: absolute; right: 8px; bottom: 8px; min-height: 36px; padding: 4px 12px; font: 14px system-ui, sans-serif;
      color: #fff; background: rgb(0 0 0 / 55%); border: 1px solid rgb(255 255 255 / 45%); border-radius: 6px; }
    button[aria-pressed="true"] { color: #111; background: rgb(255 255 255 / 85%); }`;

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const clamp = (value) => Math.max(-1, Math.min(1, Number(value) || 0));
  const phone = () => Math.min(screen.width, screen.height) < 600 || matchMedia("(pointer: coarse)").matches
    || navigator.deviceMemory <= 2 || navigator.connection?.saveData === true;

  // --- files -------------------------------------------------------------------------------------------------

  const left = (globalThis.gazePortraitFiles ??= {}); // where the scripts beside a portrait leave what they hold
  const scripts = new Map();

  function load(url) {
    if (!scripts.has(url)) {
      scripts.set(url, new Promise((resolve, reject) => {
        const script = Object.assign(document.createElement("script"), { src: url });
        script.onload = () => { script.remove(); resolve(left[url]); };
        script.onerror = () => { script.remove(); scripts.delete(url); reject(new Error(`${url} did not load`)); };
        document.head.append(script);
      }));
    }
    return scripts.get(url);
  }

  function unpacked(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64); // browsers of 2025; takes no time
    const letters = atob(base64);
    const bytes = new Uint8Array(letters.length);
    for (let index = 0; index < letters.length; index += 1) bytes[index] = letters.charCodeAt(index);
    return bytes;
  }

  async function picture(url) {
    const image = Object.assign(new Image(), { src: url });
    await image.decode();
    return image;
  }

  // --- where cells come from: `at` says which part of which image is the cell, or nothing while it is decoded ----

  class Sheets {
    static async open(folder, suffix, side) {
      return new Sheets(await Promise.all([0, 1, 2, 3].map((number) => picture(`${folder}q${number}${suffix}.webp`))), side);
    }

    constructor(images, side) {
      Object.assign(this, { images, side });
    }

    at(row, column) {
      const half = this.side >> 1; // the middle of an odd grid belongs to the lower and the right sheets
      const [below, right] = [row >= half, column >= half];
      const image = this.images[2 * below + right];
      const width = image.naturalWidth / (right ? this.side - half : half);
      const height = image.naturalHeight / (below ? this.side - half : half);
      const edge = Math.min(LEAK, width / 64, height / 64);
      const [x, y] = [(column - right * half) * width + edge, (row - below * half) * height + edge];
      return { image, x, y, width: width - 2 * edge, height: height - 2 * edge };
    }

    ahead() {} // whole sheets are there or not
  }

  const decoded = new Map(); // "address row column" -> ImageBitmap, the least recently shown first
  let pixels = 0;

  function drop(key) {
    const bitmap = decoded.get(key);
    pixels -= bitmap.width * bitmap.height;
    decoded.delete(key);
    bitmap.close();
  }

  class Cells {
    static async open(url, side, arrived) {
      return new Cells(url, await load(url), side, arrived);
    }

    constructor(url, encoded, side, arrived) {
      Object.assign(this, { url, encoded, side, arrived, busy: new Set() });
    }

    at(row, column) {
      const key = `${this.url} ${row} ${column}`;
      const image = decoded.get(key);
      if (!image) return void this.decode(row, column);
      decoded.delete(key);
      decoded.set(key, image); // the most recent one is last
      return { image, x: 0, y: 0, width: image.width, height: image.height };
    }

    ahead(cells) {
      for (const [row, column] of cells) {
        const inside = Math.min(row, column) >= 0 && Math.max(row, column) < this.side;
        if (inside && this.busy.size < AT_ONCE && !decoded.has(`${this.url} ${row} ${column}`)) this.decode(row, column);
      }
    }

    async decode(row, column) {
      const key = `${this.url} ${row} ${column}`;
      if (this.busy.has(key)) return;
      this.busy.add(key);
      const bytes = unpacked(this.encoded[row * this.side + column]);
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" })).catch(() => null);
      this.busy.delete(key);
      if (!bitmap) return;
      if (decoded.has(key)) drop(key); // another portrait of the page wanted it too
      decoded.set(key, bitmap);
      pixels += bitmap.width * bitmap.height;
      for (const oldest of decoded.keys()) {
        if (pixels <= MOST_PIXELS || oldest === key) break;
        drop(oldest);
      }
      this.arrived(row, column);
    }
  }

  // The best set of this folder that this screen can draw without stuttering; the next best where files are missing.
  async function open(folder, about, arrived) {
    const { gridSize, mobileGridSize, imageWidth, imageHeight, cells } = about;
    const fits = Math.max(imageWidth, imageHeight) * Math.ceil(gridSize / 2) <= LARGEST_SHEET;
    const desktop = { side: gridSize, open: () => Sheets.open(folder, "", gridSize) };
    const mobile = { side: mobileGridSize, open: () => Sheets.open(folder, "_20", mobileGridSize) };
    const single = { side: gridSize, open: () => Cells.open(folder + cells, gridSize, arrived) };
    const sets = [...(fits ? [desktop] : []), ...(cells ? [single] : []), ...(mobileGridSize ? [mobile] : []), desktop];
    if (mobileGridSize && phone()) sets.unshift(mobile);
    for (const [index, set] of sets.entries()) {
      try {
        return { side: set.side, pictures: await set.open() };
      } catch (error) {
        if (index === sets.length - 1) throw error;
      }
    }
  }

  // --- the element -------------------------------------------------------------------------------------------

  let connected = 0;

  class GazePortrait extends HTMLElement {
    static observedAttributes = ["src"];

    static get decoded() { // for whoever watches the memory of a page
      return { cells: decoded.size, pixels };
    }

    #aim = { x: 0, y: 0 };
    #glance = { x: 0, y: 0 };
    #now = { x: 0, y: 0 };
    #shown = null; // [row, column]
    #touched = -Infinity;
    #level = null; // how the phone was held when tilting was switched on; null while it is off
    #frame = 0;

    constructor() {
      super();
      this.attachShadow({ mode: "open" }).innerHTML = `<style>${LOOK}</style><slot><img alt=""></slot>
        <canvas role="img" tabindex="0" hidden></canvas><button type="button" aria-pressed="false" hidden>Tilt</button>`;
      [this.canvas, this.slotted, this.button] = ["canvas", "slot", "button"].map((name) => this.shadowRoot.querySelector(name));
    }

    // Where it looks: x -1 left to 1 right, y -1 up to 1 down. Can be set; every change is a "gaze" event.
    get gaze() {
      return { ...this.#now };
    }

    set gaze({ x, y }) {
      this.#aim = { x: clamp(x), y: clamp(y) };
      this.#glance = { x: 0, y: 0 };
      this.#touched = performance.now();
      this.#wake();
    }

    connectedCallback() {
      connected += 1;
      const leaving = (this.leaving = new AbortController());
      const on = (target, name, act) => target.addEventListener(name, (event) => act.call(this, event), { signal: leaving.signal });
      on(window, "pointermove", this.#pointed);
      on(document.documentElement, "pointerleave", (event) => { if (event.pointerType === "mouse") this.gaze = { x: 0, y: 0 }; });
      on(this, "pointerdown", this.#touch);
      on(this, "pointermove", this.#touch);
      on(this.canvas, "keydown", this.#key);
      on(this.button, "click", () => this.tilt(this.#level === null));
      on(window, "deviceorientation", this.#tilted);
      this.sizes = new ResizeObserver(([entry]) => { this.across = entry.contentRect.width; this.#redraw(); });
      this.sizes.observe(this);
      this.timer = setTimeout(() => this.#idle(), IDLE_AFTER);
      this.canvas.ariaLabel = this.getAttribute("label") || this.querySelector("img")?.alt || LABEL;
      const able = typeof DeviceOrientationEvent !== "undefined" && isSecureContext && matchMedia("(any-pointer: coarse)").matches;
      this.button.hidden = !able;
      this.#open();
    }

    disconnectedCallback() {
      connected -= 1;
      this.leaving.abort();
      this.sizes.disconnect();
      clearTimeout(this.timer);
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
      this.pictures = null;
      if (!connected) [...decoded.keys()].forEach(drop);
    }

    attributeChangedCallback() {
      if (this.isConnected && this.leaving) this.#open();
    }

    async #open() {
      const folder = new URL((this.getAttribute("src") ?? ".").replace(/\/?$/, "/"), document.baseURI).href;
      const order = (this.order = Symbol(folder)); // a later src or a removal makes this one void
      const current = () => order === this.order && this.isConnected;
      const still = this.shadowRoot.querySelector("img");
      if (!this.querySelector("img")) still.src = `${folder}still.webp`;
      try {
        const about = await load(`${folder}metadata.js`).catch(async () => (await fetch(`${folder}metadata.json`)).json());
        const opened = await open(folder, about, (row, column) => { if (current()) this.#arrived(row, column); });
        if (!current()) return;
        Object.assign(this, opened);
        this.canvas.style.aspectRatio = `${about.imageWidth} / ${about.imageHeight}`;
        this.#redraw();
        this.dispatchEvent(new CustomEvent("load"));
      } catch (error) {
        if (current()) this.dispatchEvent(new CustomEvent("error", { detail: error })); // the still picture stays
      }
    }

    // --- what it looks at

    #pointed(event) {
      if (event.pointerType === "touch") return;
      const box = this.getBoundingClientRect();
      const reach = Math.max(innerWidth, innerHeight) / 2;
      this.gaze = { x: (event.clientX - box.left - box.width / 2) / reach, y: (event.clientY - box.top - box.height / 2) / reach };
    }

    #touch(event) {
      if (event.pointerType !== "touch" || !event.isPrimary || event.composedPath()[0] === this.button) return;
      const box = this.getBoundingClientRect(); // a finger stays inside: the edges of the portrait are the ends of the way
      this.gaze = {
        x: (event.clientX - box.left - box.width / 2) / (box.width / 2),
        y: (event.clientY - box.top - box.height / 2) / (box.height / 2),
      };
    }

    #key(event) {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [] }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const [x, y] = step;
      this.gaze = event.key === "Home" ? { x: 0, y: 0 } : { x: this.#aim.x + x * KEY_STEP, y: this.#aim.y + y * KEY_STEP };
    }

    // Follow the phone's tilt, from how it is held now, or stop. iOS asks the person, and only after a tap.
    async tilt(wanted = true) {
      const ask = globalThis.DeviceOrientationEvent?.requestPermission;
      if (wanted && ask && (await ask.call(DeviceOrientationEvent).catch(() => "denied")) !== "granted") wanted = false;
      this.#level = wanted ? undefined : null;
      this.button.ariaPressed = String(wanted);
      return wanted;
    }

    #tilted({ beta, gamma }) {
      if (this.#level === null || beta === null || gamma === null) return;
      const angle = screen.orientation?.angle ?? 0;
      const turn = (angle * Math.PI) / 180;
      const held = { x: gamma * Math.cos(turn) + beta * Math.sin(turn), y: beta * Math.cos(turn) - gamma * Math.sin(turn), angle };
      if (this.#level?.angle !== angle) this.#level = held; // at first, and when the screen was turned on its side
      // You stay where you are while the screen turns away, so it looks the other way to keep its eyes on you.
      this.gaze = { x: (this.#level.x - held.x) / TILT_RANGE, y: (this.#level.y - held.y) / TILT_RANGE };
    }

    #idle() { // eyes are never quite still
      this.timer = setTimeout(() => this.#idle(), 700 + 1500 * Math.random());
      if (calm.matches || document.hidden || performance.now() - this.#touched < IDLE_AFTER) return;
      this.#glance = { x: GLANCE * (2 * Math.random() - 1), y: GLANCE * (2 * Math.random() - 1) };
      this.#wake();
    }

    // --- drawing

    #wake() {
      this.#frame ||= requestAnimationFrame((time) => { this.last = time - FRAME; this.#tick(time); });
    }

    #redraw() {
      this.#shown = null;
      this.#wake();
    }

    #tick(time) {
      const smoothing = this.#smoothing();
      this.#move(calm.matches ? 1 : 1 - (1 - smoothing) ** ((time - this.last) / FRAME));
      this.last = time;
      this.#draw();
      const { x, y } = this.#left();
      this.#frame = x || y ? requestAnimationFrame((next) => this.#tick(next)) : 0;
    }

    #smoothing() {
      return Math.min(1, Math.max(0.01, Number(this.getAttribute("smoothing")) || FOLLOW));
    }

    #left() {
      return { x: clamp(this.#aim.x + this.#glance.x) - this.#now.x, y: clamp(this.#aim.y + this.#glance.y) - this.#now.y };
    }

    #move(part) {
      const { x, y } = this.#left();
      if (!x && !y) return;
      const whole = Math.hypot(x, y) < ARRIVED ? 1 : part;
      this.#now = { x: this.#now.x + x * whole, y: this.#now.y + y * whole };
      this.dispatchEvent(new CustomEvent("gaze", { detail: this.gaze }));
    }

    #cell(x = this.#now.x, y = this.#now.y) {
      return [y, x].map((along) => Math.min(this.side - 1, Math.floor(((along + 1) / 2) * (this.side - 1) + 0.5)));
    }

    #draw() {
      if (!this.pictures || !this.across) return;
      const [row, column] = this.#cell();
      if (this.#shown?.[0] !== row || this.#shown?.[1] !== column) this.#paint(row, column);
      this.#ahead(row, column);
    }

    #ahead(row, column) { // on the way what is due in the next frames, at rest what lies around
      const { x, y } = this.#left();
      const due = (_, frame) => 1 - (1 - this.#smoothing()) ** (frame + 1);
      const way = Array.from({ length: AHEAD }, due).map((part) => this.#cell(this.#now.x + x * part, this.#now.y + y * part));
      const around = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => [row + down, column + right]));
      this.pictures.ahead(x || y ? way : around);
    }

    #arrived(row, column) { // late ones are drawn if they come closer than what is shown
      const wanted = this.#cell();
      const away = (cell) => (cell ? Math.hypot(cell[0] - wanted[0], cell[1] - wanted[1]) : Infinity);
      if (away([row, column]) < away(this.#shown)) this.#paint(row, column);
      this.#ahead(...wanted);
    }

    #paint(row, column) {
      const view = this.pictures.at(row, column);
      if (!view) return;
      const scale = Math.min(1, (this.across * devicePixelRatio) / view.width);
      const [width, height] = [Math.max(1, Math.round(view.width * scale)), Math.max(1, Math.round(view.height * scale))];
      if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
      const context = this.canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.clearRect(0, 0, width, height);
      context.drawImage(view.image, view.x, view.y, view.width, view.height, 0, 0, width, height);
      this.#shown = [row, column];
      this.slotted.hidden = true;
      this.canvas.hidden = false;
    }
  }

  customElements.define("gaze-portrait", GazePortrait);
}
